"""How JSON of others is read at every door: a byte-order mark is ignored, and a key that is there twice is refused.

Parsers keep the last of two equal keys and say nothing. A person may have meant the first. No form here has many keys or
much depth. A body that has is refused before anything looks at each of them. No problem repeats a key: it may be a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import Any

from bdcan_contracts.envelope import Problem

_MOST_KEYS = 500
"""Keys of one object at most."""
_DEEPEST = 50
"""Objects and lists inside each other at most."""
_MOST_VALUES = 20_000
"""Colons and commas of one body at most: so many values, and so many things that can be wrong."""


class RepeatedKeyError(ValueError):
    """An object names a key twice. Only who knows the names of the form may say which."""

    problem = Problem("body", "repeated-key", "A key is there twice in one object. Say it once.")

    def __init__(self, key: str) -> None:
        super().__init__("a key is there twice")
        self._key = key

    def problem_among(self, known: Container[str]) -> Problem:
        """The problem. It names the key if that is one of these."""
        if self._key not in known:
            return self.problem
        return Problem(self._key, self.problem.code, "This key is there twice. Say it once.")


class JsonLimitError(ValueError):
    """The body has more values, keys or depth than any form."""

    problem = Problem(
        "body",
        "too-much",
        f"A body has {_MOST_VALUES} values, {_MOST_KEYS} keys in one object and a depth of {_DEEPEST} at most.",
    )


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Raises RepeatedKeyError or JsonLimitError, and ValueError if it is no JSON."""
    if body.count(b",") + body.count(b":") > _MOST_VALUES:
        raise JsonLimitError
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth(body) > _DEEPEST:
        raise JsonLimitError
    return json.loads(body, object_pairs_hook=_once)  # bytes: it also reads behind a byte-order mark


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_KEYS:
        raise JsonLimitError
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedKeyError(next(name for name in names if names.count(name) > 1))
    return found


_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[]}]', re.DOTALL)


def _depth(body: bytes) -> int:
    """How deep the text's lists and objects are, whether it is JSON or not."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(body):
        first = match[0][:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                break
        elif first in b"]}":
            depth -= 1
    return deepest
