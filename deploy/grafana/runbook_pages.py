"""docs/operations.md as parts with a heading: a dashboard shows them, and panels and alerts lead to them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


class Part(NamedTuple):
    """A second-level heading of the page, with all that stands below it."""

    number: int
    title: str
    text: str


@cache
def parts() -> tuple[Part, ...]:
    """All parts, in order. Their numbers are the ids of their panels, because a dashboard numbers its panels from 1."""
    _, *found = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    split = [text.partition("\n") for text in found]
    return tuple(
        Part(number, title.strip(), text.strip()) for number, (title, _, text) in enumerate(split, 1)
    )


def part_of(heading: str) -> Part:
    """The part with this heading, or with this third-level heading in it. Raises LookupError where there is none."""
    for part in parts():
        if part.title == heading or re.search(rf"^### {re.escape(heading)}$", part.text, re.MULTILINE):
            return part
    raise LookupError(f"docs/operations.md has no heading {heading!r}")
