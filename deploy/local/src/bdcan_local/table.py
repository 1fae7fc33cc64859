"""A table for people: columns as wide as their cells, and nothing in a cell that acts on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bdcan_chassis.printable import printable


def lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; a cell without a value shows a dash."""
    shown = [tuple(head), *(tuple("-" if cell is None else printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[place]) for row in shown) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]


def span(seconds: float) -> str:
    """A span of time in its two largest units: `3 d 4 h`, `12 min`, `8 s`."""
    left, parts = abs(seconds), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if (count := int(left // size)) and len(parts) < 2:
            parts.append(f"{count} {unit}")
        left %= size
    return " ".join(parts[:1] if parts and parts[0].endswith("min") else parts) or "0 s"
