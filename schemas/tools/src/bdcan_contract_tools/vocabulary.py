"""Reads `vocabulary/*.yaml`, the one place that names needs, diets, flags, channels, outcomes and reasons.

`breaches` yields one sentence for each entry that does not hold what it must.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NEEDS = "NeedCode"
TASKS = "TaskKind"
FLAGS = "Flag"
ESCALATION_OUTCOMES = "EscalationOutcome"
AUDIENCES = ("everyone", "hub-and-council")
HELPERS = {"food": "parcel", "community": "task", "complex": "team", "safeguarding": "team"}
"""What a need of each lane says about who does it."""

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MOST_CHARACTERS = 60
_OF_EVERY_CODE = {"title", "description"}
_OF_A_NEED = {"lane", "words", "parcel", "task", "team", "enhanced_dbs", "audience"}
_OF_AN_ESCALATION = {"helped"}
_OF_A_LANE = {"parcel", "task", "team", "enhanced_dbs", "audience"}
_MORE = {NEEDS: _OF_A_NEED, ESCALATION_OUTCOMES: _OF_AN_ESCALATION}

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class WordList:
    """One list of codes, such as all diets. `name` is the name of its class in Python; `file` is where it is written."""

    name: str
    file: str
    description: str
    codes: Mapping[str, Entry]


@dataclass(frozen=True)
class Vocabulary:
    """Everything under `vocabulary/`: the lists by name, and the lanes."""

    lists: Mapping[str, WordList]
    lanes: Mapping[str, Entry]

    @property
    def needs(self) -> Mapping[str, Entry]:
        """The entries of all needs, by code."""
        return self.lists[NEEDS].codes


def load(folder: Path) -> Vocabulary:
    """Read every file of the folder."""
    lists: dict[str, WordList] = {}
    lanes: Mapping[str, Entry] = {}
    for path in sorted(folder.glob("*.yaml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem == "lanes":
            lanes = content
            continue
        for name, found in content.items():
            lists[name] = WordList(name, path.name, found["description"], found["codes"])
    return Vocabulary(lists, lanes)


def breaches(vocabulary: Vocabulary, lanes: list[str]) -> Iterator[str]:
    """Every entry that does not hold what it must. `lanes`: the words of the closed enum Lane."""
    if list(vocabulary.lanes) != lanes:
        yield f"vocabulary/lanes.yaml: names {list(vocabulary.lanes)}, the enum Lane names {lanes}"
        return
    for lane, entry in vocabulary.lanes.items():
        yield from _of_entry(f"vocabulary/lanes.yaml: {lane}", entry, _OF_A_LANE)
        yield from _of_helper(vocabulary, f"vocabulary/lanes.yaml: {lane}", lane, entry)
    for words in vocabulary.lists.values():
        for code, entry in words.codes.items():
            where = f"vocabulary/{words.file}: {code}"
            if not isinstance(code, str) or not _CODE.fullmatch(code) or len(code) > _MOST_CHARACTERS:
                yield f"{where}: a code is lower-case words with hyphens, of {_MOST_CHARACTERS} characters at most"
            yield from _of_entry(where, entry, _MORE.get(words.name, set()))
            if words.name == ESCALATION_OUTCOMES and not isinstance(entry.get("helped"), bool):
                yield f"{where}: helped is true or false"
    for code, entry in vocabulary.needs.items():
        where = f"vocabulary/{vocabulary.lists[NEEDS].file}: {code}"
        if entry.get("lane") not in lanes:
            yield f"{where}: lane is one of {lanes}"
            continue
        if not entry.get("words"):
            yield f"{where}: has no everyday words"
        yield from _of_helper(vocabulary, where, entry["lane"], entry)


def _of_entry(where: str, entry: Entry, more: set[str]) -> Iterator[str]:
    if lacking := _OF_EVERY_CODE - set(entry):
        yield f"{where}: lacks {sorted(lacking)}"
    if unknown := set(entry) - _OF_EVERY_CODE - more:
        yield f"{where}: unknown entries {sorted(unknown)}"


def _of_helper(vocabulary: Vocabulary, where: str, lane: str, entry: Entry) -> Iterator[str]:
    named = [key for key in ("parcel", "task", "team") if key in entry]
    if named != [HELPERS[lane]]:
        yield f"{where}: a need of the lane {lane} names its {HELPERS[lane]}, and no other helper"
    if "task" in entry and entry["task"] not in vocabulary.lists[TASKS].codes:
        yield f"{where}: {entry['task']} is no kind of task"
    if entry.get("audience") not in AUDIENCES:
        yield f"{where}: audience is one of {AUDIENCES}"
    check = entry.get("enhanced_dbs", [])
    if check != "always" and (not isinstance(check, list) or set(check) - set(vocabulary.lists[FLAGS].codes)):
        yield f"{where}: enhanced_dbs is `always`, or a list of flags"
