"""Codes of the vocabulary, and the words that people use for them.

A code, its title, and for a need its everyday words mean the same, in the singular and the plural: `Food parcels`,
`groceries` and `food-parcel`. A word that two codes share means neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import TypeVar

from bdcan_contracts.typed.text import DASH, compatible
from bdcan_contracts.vocabulary import NEEDS, NeedCode
from bdcan_contracts.words import Word

W = TypeVar("W", bound=Word)

_BETWEEN = re.compile(r"[\s_-]+")
_MOST_LIKE = 3
_ALIKE = 0.66
"""How much of two words must agree: `foood` is like `food`, and `housing` is not like `shopping`."""


def read_code(kind: type[W], typed: str) -> W | None:
    """The code that a text means; None where it means none, or more than one."""
    known = _meanings(kind)
    code = (
        known[typed] if typed in known else known.get(_key(typed))
    )  # nearly all systems send the code itself
    return None if code is None else kind(code)


def nearest_codes(kind: type[W], typed: str) -> list[W]:
    """The codes that the text is most like, the most alike first."""
    known = _meanings(kind)
    near = get_close_matches(_key(typed), [word for word, code in known.items() if code], _MOST_LIKE, _ALIKE)
    return [kind(code) for code in dict.fromkeys(known[word] for word in near) if code]


def unknown_code(kind: type[Word], typed: str) -> str:
    """What to say about a text that means no code."""
    if near := nearest_codes(kind, typed):
        return f"is not known: do you mean {' or '.join(near)}?"
    choices = ", ".join(f"'{code}'" for code in kind)
    return f"is not known: choose {choices}"


@cache
def longest(kind: type[Word]) -> int:
    """How many words a code or an everyday word has at most."""
    return max(word.count("-") + 1 for word in _meanings(kind))


@cache
def _meanings(kind: type[Word]) -> dict[str, Word | None]:
    found: dict[str, Word | None] = {}
    for code in kind:
        for word in map(_key, _words(code)):
            found[word] = code if found.get(word, code) is code else None
    numbers: dict[str, Word | None] = {}
    for word, code in found.items():
        for other in (f"{word}s", word.removesuffix("s")):
            numbers[other] = code if numbers.get(other, code) is code else None
    return numbers | found | {_key(code): code for code in kind}


def _words(code: Word) -> Iterator[str]:
    yield code.label
    if isinstance(code, NeedCode):
        yield from NEEDS[code].words


def _key(typed: str) -> str:
    return _BETWEEN.sub("-", DASH.sub("-", compatible(typed)).casefold().strip(" .!?'\"")).strip("-")
