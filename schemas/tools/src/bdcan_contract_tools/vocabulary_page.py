"""Generates `docs/vocabulary.md`: every code, in tables for people."""

from __future__ import annotations

from collections.abc import Iterator

from bdcan_contract_tools.vocabulary import ESCALATION_OUTCOMES, HELPERS, NEEDS, Entry, Vocabulary, WordList

_HEAD = """<!-- Generated from schemas/vocabulary by `python -m bdcan_contract_tools generate`. Do not edit. -->
# Vocabulary

These are the codes that the services use for needs, diets, flags, channels, outcomes and reasons. A code is lower-case words
with hyphens. Events carry codes as plain strings, so a newer service may send a code that an older one does not know.
Every need carries its lane, and an older service helps with an unknown need as its lane says. For an unknown diet or flag, a
person decides. [CONTRIBUTING](../CONTRIBUTING.md) says how to add a code.
"""


def render(vocabulary: Vocabulary) -> str:
    """The text of the page."""
    return "\n".join(
        [
            _HEAD,
            *_needs(vocabulary),
            *_lanes(vocabulary),
            *(line for words in vocabulary.lists.values() if words.name != NEEDS for line in _list(words)),
        ]
    )


def _needs(vocabulary: Vocabulary) -> Iterator[str]:
    yield "## Needs\nWhat a resident may need, and who helps.\n"
    yield "| code | title | lane | people say | done by | enhanced DBS check | who may see it |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for code, entry in vocabulary.needs.items():
        yield (
            f"| `{code}` | {entry['title']} | {entry['lane']} | {', '.join(entry['words'])} | "
            f"{_helper(entry['lane'], entry)} | {_check(entry)} | {entry['audience'].replace('-', ' ')} |"
        )
    yield ""


def _lanes(vocabulary: Vocabulary) -> Iterator[str]:
    yield "## Lanes\nWho helps with a need, and how a service helps with a need of the lane whose code it does not know.\n"
    yield "| lane | meaning | unknown needs are done by | enhanced DBS check |"
    yield "| --- | --- | --- | --- |"
    for lane, entry in vocabulary.lanes.items():
        yield f"| `{lane}` | {entry['description']} | {_helper(lane, entry)} | {_check(entry)} |"
    yield ""


def _list(words: WordList) -> Iterator[str]:
    yield f"## {words.name}\n{words.description} Written in `schemas/vocabulary/{words.file}`.\n"
    helps = words.name == ESCALATION_OUTCOMES
    yield "| code | title | meaning |" + (" somebody was helped |" if helps else "")
    yield "| --- | --- | --- |" + (" --- |" if helps else "")
    for code, entry in words.codes.items():
        helped = f" {'yes' if entry['helped'] else 'no'} |" if helps else ""
        yield f"| `{code}` | {entry['title']} | {entry['description']} |{helped}"
    yield ""


def _helper(lane: str, entry: Entry) -> str:
    kind = HELPERS[lane]
    return f"{kind} `{entry[kind]}`"


def _check(entry: Entry) -> str:
    check = entry.get("enhanced_dbs", [])
    if check == "always":
        return "always"
    return f"with {', '.join(check)}" if check else "no"
