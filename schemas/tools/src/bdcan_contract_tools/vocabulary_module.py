"""Generates `bdcan_contracts/vocabulary.py`: the codes as Python values, with what is known of each need and lane."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bdcan_contract_tools.models import docstring
from bdcan_contract_tools.vocabulary import ESCALATION_OUTCOMES, NEEDS, TASKS, Entry, Vocabulary, WordList

_HEAD = '''# Generated from schemas/vocabulary by `python -m bdcan_contract_tools generate`. Do not edit.
"""The codes that this release knows. On the wire a code is a string, so a newer release may send others.

Read a need with `help_for(code, lane)`: it also answers for a code that this release does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bdcan_contracts.models import Lane
from bdcan_contracts.words import Audience, Help, Word

'''

_TAIL = '''

def help_for(code: str, lane: Lane) -> Help:
    """Who helps with a need. The lane decides where this release does not know the code, or knows it in another lane."""
    known = NEEDS.get(code)
    return known if known is not None and known.lane is lane else LANES[lane]
'''


def render(vocabulary: Vocabulary) -> str:
    """The text of the module."""
    # the needs refer to tasks and flags: their tables stand behind all classes
    return "\n".join(
        [
            _HEAD,
            *(_class(words) for words in vocabulary.lists.values()),
            *_table(
                "NEEDS",
                "str",
                "Every need that this release knows, by code.",
                (
                    (f"{NEEDS}.{constant(code)}", code, f"Lane.{constant(entry['lane'])}", entry)
                    for code, entry in vocabulary.needs.items()
                ),
            ),
            *_table(
                "LANES",
                "Lane",
                "How a need of each lane is helped whose code this release does not know.",
                (
                    (f"Lane.{constant(lane)}", lane, f"Lane.{constant(lane)}", entry)
                    for lane, entry in vocabulary.lanes.items()
                ),
            ),
            *_helped(vocabulary.lists[ESCALATION_OUTCOMES]),
            _TAIL,
        ]
    )


def constant(code: str) -> str:
    """The name of a code's constant: FOOD_PARCEL."""
    return code.replace("-", "_").upper()


def _class(words: WordList) -> str:
    members = "\n".join(
        f"    {constant(code)} = {_text(code)}, {_text(entry['title'])}\n{docstring(entry['description'])}"
        for code, entry in words.codes.items()
    )
    return f"\nclass {words.name}(Word):\n{docstring(words.description)}\n\n{members}\n"


def _helped(outcomes: WordList) -> Iterator[str]:
    codes = (f"{outcomes.name}.{constant(code)}" for code, entry in outcomes.codes.items() if entry["helped"])
    yield f"\nHELPED: frozenset[str] = frozenset({{{', '.join(codes)}}})"
    yield '"""The outcomes of an escalation after which somebody was helped. After any other, its needs return to their hub."""'


def _table(name: str, key: str, meaning: str, rows: Iterator[tuple[str, str, str, Entry]]) -> Iterator[str]:
    yield f"\n{name}: Mapping[{key}, Help] = MappingProxyType(\n    {{"
    yield from (f"        {at}: {_help(code, lane, entry)}," for at, code, lane, entry in rows)
    yield f'    }}\n)\n"""{meaning}"""'


def _help(code: str, lane: str, entry: Entry) -> str:
    fields = {
        "code": _text(code),
        "lane": lane,
        "title": _text(entry["title"]),
        "words": repr(tuple(entry.get("words", ()))),
        "audience": f"Audience.{constant(entry['audience'])}",
    }
    if "task" in entry:
        fields["task"] = f"{TASKS}.{constant(entry['task'])}"
    for name in ("parcel", "team"):
        if name in entry:
            fields[name] = _text(entry[name])
    check = entry.get("enhanced_dbs", [])
    if check == "always":
        fields["dbs_always"] = "True"
    elif check:
        fields["dbs_with"] = "frozenset({" + ", ".join(f"Flag.{constant(flag)}" for flag in check) + "})"
    return f"Help({', '.join(f'{name}={value}' for name, value in fields.items())})"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
