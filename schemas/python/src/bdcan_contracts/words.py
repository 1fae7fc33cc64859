"""The types of the generated vocabulary: a code with its title, and what is known of a need."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from msgspec import Struct

from bdcan_contracts.models import Lane


class Word(StrEnum):
    """A code that this release knows. It equals the plain string of the code. `label` is what people see."""

    _value_: str
    label: str

    def __new__(cls, code: str, label: str) -> Self:
        """A member is written as its code and its label."""
        word = str.__new__(cls, code)
        word._value_ = code
        word.label = label
        return word


class Audience(StrEnum):
    """Who may see that a resident has a need."""

    EVERYONE = "everyone"
    HUB_AND_COUNCIL = "hub-and-council"


class Help(Struct, frozen=True, kw_only=True):
    """Who helps with a need, and how. One of `parcel`, `task` and `team` is set, as its lane has it.

    `words` are what people say when they mean the need. `parcel` is a template of the foodhub, `team` a team of the council.
    `code` is the name of the lane where the entry is for every unknown need of a lane.
    """

    code: str
    lane: Lane
    title: str
    words: tuple[str, ...]
    audience: Audience
    parcel: str | None = None
    task: str | None = None
    team: str | None = None
    dbs_always: bool = False
    dbs_with: frozenset[str] = frozenset()

    def requires_dbs(self, flags: Iterable[str]) -> bool:
        """Whether English law asks for an enhanced DBS check: regulated activity because of age or illness."""
        return self.dbs_always or not self.dbs_with.isdisjoint(flags)
