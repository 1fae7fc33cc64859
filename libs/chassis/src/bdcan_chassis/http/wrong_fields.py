"""Which fields of a request are at fault, said without a word of what was sent.

A name that the caller made up may be a name of somebody, or an NHS number. Only the names of the route's own form are
repeated. An unknown field is named by the place that it has in its object, and by the known field that it is most like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from bdcan_contracts.envelope import Problem

_OWN_WORDS = {  # where pydantic's quote what was sent
    "union_tag_invalid": "no such kind",
    "uuid_parsing": "not a UUID",
}
_LONGEST_NAME = 60


def names_in(schema: object) -> Iterable[str]:
    """The names of all fields in a JSON schema."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        mapping = schema.get("mapping")  # the kinds of a union
        if isinstance(mapping, dict):
            yield from mapping
        for inner in schema.values():
            yield from names_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from names_in(inner)


def found_wrong(errors: Sequence[Mapping[str, Any]], known: frozenset[str], body: object) -> list[Problem]:
    """A problem for each of pydantic's errors."""
    found: list[Problem] = []
    for error in errors:
        location = list(error["loc"])
        if error["type"] == "extra_forbidden":
            found.append(no_such_field(location, known, body))
            continue
        kind = str(error["type"])
        # a message of our own never quotes; of pydantic's, those that quote have other words here
        message = _OWN_WORDS.get(kind, str(error["msg"]))
        found.append(Problem(path_of(location, known), kind.replace("_", "-"), message))
    return found


def path_of(location: Sequence[str | int], known: frozenset[str]) -> str:
    """The path of a field. A part that is no name of ours is `*`."""
    parts = location[1:] if location[0] == "body" and len(location) > 1 else location
    return ".".join(
        str(part) if isinstance(part, int) or part in known or (place == 0 and part in _PLACES) else "*"
        for place, part in enumerate(parts)
    )


_PLACES = {"body", "query", "path", "header", "cookie"}


def no_such_field(location: Sequence[str | int], known: frozenset[str], body: object) -> Problem:
    """The problem of an unknown field at this place of the body."""
    *above, name = location
    place = _place(body, location)
    which = f" (field {place} here)" if place else ""
    return Problem(path_of(above, known), "extra-forbidden", f"no such field{which}{nearest(name, known)}")


def nearest(name: str | int, known: Iterable[str]) -> str:
    """A question that names the known field which is most like this one, or nothing."""
    near = get_close_matches(name[:_LONGEST_NAME], sorted(known), 1, 0.7) if isinstance(name, str) else ()
    return f": is it {near[0]}?" if near else ""


def _place(body: object, location: Sequence[str | int]) -> int | None:
    """Which one of its object's fields it is, from 1 on."""
    inner = body
    for part in location[1:-1]:
        if isinstance(inner, dict):
            inner = inner.get(part)
        elif isinstance(inner, list) and isinstance(part, int) and part < len(inner):
            inner = inner[part]
    if isinstance(inner, dict) and location[-1] in inner:
        return 1 + list(inner).index(location[-1])
    return None
