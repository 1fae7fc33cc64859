"""A record of the inbound topic that breaks the schema: what is optional in it never costs the person their place.

What another form of a value says is put into the form of the schema: a number as a text, `No` as false, everyday words as
codes. What nobody can read goes into `unclear`, as it was typed. What is required stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.submission import DERIVED
from bdcan_contracts.models import Household, Priority
from bdcan_contracts.typed import free_text, one_line, read_yes_no
from bdcan_contracts.typed.codes import read_code
from bdcan_contracts.vocabulary import Channel, Diet, Flag, NeedCode
from bdcan_contracts.words import Word

_LONGEST = {
    "name": 200, "phone": 60, "email": 254, "nhs_number": 60, "address": 500, "postcode": 60, "notes": 2000,
}  # fmt: skip
_LISTS: dict[str, type[Word]] = {
    "needs": NeedCode, "add_needs": NeedCode, "withdraw_needs": NeedCode, "diets": Diet, "flags": Flag,
}  # fmt: skip
_KEPT = 20_000
"""Characters of a detail that are kept as typed."""


def mend(body: Mapping[str, Any], problems: Sequence[Problem]) -> dict[str, Any]:
    """A body without the problems that can be mended."""
    mending = _Mending(deepcopy(dict(body)))
    for field in dict.fromkeys(problem.field for problem in problems):
        mending.mend(field.split("."))
    return mending.body()


class _Mending:
    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self._unclear: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """The body as it is now."""
        if self._unclear:
            given = self._body.get("unclear")
            more = [{"field": field, "text": text} for field, text in self._unclear.items()]
            self._body["unclear"] = [*(cast("list[Any]", given) if isinstance(given, list) else []), *more]
        return self._body

    def mend(self, path: Sequence[str]) -> None:
        """Mend one field at fault."""
        name = path[0]
        match name:
            case "reference" if isinstance(self._body.get(name), int):
                self._body[name] = str(self._body[name])
            case "channel":
                self._body[name] = _code(Channel, self._body.get(name))
            case _ if name in _LISTS:
                self._codes(name)
            case "person":
                self._person(path[1:])
            case "household":
                self._household()
            case "priority":
                said = self._body.pop(name, None)
                self._put(self._body, name, said, _priority(said))
            case "consent":
                said = self._body.pop(name, None)
                self._put(self._body, name, said, read_yes_no(_text(said)))
            case "notes":
                self._say(self._body, name)
            case "unclear":
                self._keep(name, self._body.pop(name, None))
            case _:
                pass

    def _person(self, path: Sequence[str]) -> None:
        person = self._body.get("person")
        if not isinstance(person, dict):
            self._keep("person", self._body.pop("person", None))
        elif path and path[0] in _LONGEST:
            self._say(cast("dict[str, Any]", person), path[0])
        elif path:
            self._keep(path[0], cast("dict[str, Any]", person).pop(path[0], None))

    def _household(self) -> None:
        said = self._body.pop("household", None)
        given = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        sizes = {name: _whole(given[name]) for name in Household.model_fields if given.get(name) is not None}
        fits = sizes and all(size is not None and 0 <= size <= 20 for size in sizes.values())
        self._put(self._body, "household", said, {"adults": 1, **sizes} if fits else None)

    def _codes(self, name: str) -> None:
        said = self._body.get(name)
        if isinstance(said, str):
            said = said.split(",")
        if isinstance(said, list):
            read = [_code(_LISTS[name], one) for one in cast("list[Any]", said)]
            if all(isinstance(one, str) for one in read):  # intake finds some flags by itself
                read = [one for one in dict.fromkeys(read) if one not in DERIVED]
            self._body[name] = read

    def _say(self, where: dict[str, Any], name: str) -> None:
        """A text of a kind that may be too long, or that came as a number."""
        said = where.pop(name, None)
        text = None if isinstance(said, (dict, list, bool)) else free_text(_text(said))
        if text is not None and len(text) > _LONGEST[name]:
            self._keep(name, said)
            text = text[: _LONGEST[name]]
        self._put(where, name, said, text)

    def _put(self, where: dict[str, Any], name: str, said: Any, read: Any) -> None:
        if read is None:
            self._keep(name, said)
        else:
            where[name] = read

    def _keep(self, name: str, said: Any) -> None:
        text = free_text(_text(said))
        if said is not None and text:
            self._unclear[name] = text[:_KEPT]


def _text(said: Any) -> str:
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _code(kind: type[Word], said: Any) -> Any:
    code = read_code(kind, said) if isinstance(said, str) else None
    return said if code is None else code.value


def _priority(said: Any) -> str | None:
    text = (one_line(_text(said)) or "").lower()
    return text if text in set(Priority) else None


def _whole(said: Any) -> int | None:
    text = one_line(_text(said)) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
