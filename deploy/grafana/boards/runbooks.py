"""The page for operations, in Grafana itself: at three in the morning nobody looks for a repository."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import words
from deploy.grafana.runbook_pages import parts

_LINE_OF_TEXT = 150
_ROWS_OF_A_HEIGHT = 1.4


def board() -> Board:
    """A panel for each part of docs/operations.md; a link to one opens it alone."""
    made = Board("bdcan-runbooks", "Runbooks", "docs/operations.md, part by part.")
    for part in parts():
        lines = sum(1 + len(line) // _LINE_OF_TEXT for line in part.text.splitlines())
        made.row(max(4, min(40, round(lines / _ROWS_OF_A_HEIGHT))), [words(part.title, part.text)])
    return made
