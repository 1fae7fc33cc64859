"""What a log line says must come through: a field with the name of a personal one is blanked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bdcan_contracts.catalogue import PERSONAL_FIELDS

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def said(source: Path) -> Iterator[tuple[int, str]]:
    """The line and the name of each field that a file logs."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            yield from ((node.lineno, word.arg) for word in node.keywords if word.arg)


def test_no_log_line_names_a_field_that_is_blanked() -> None:
    files = [path for part in ("libs", "services", "deploy") for path in (ROOT / part).rglob("src/**/*.py")]
    found = {path.relative_to(ROOT): list(said(path)) for path in files}
    assert sum(map(len, found.values())) > 50  # the test sees the log lines
    blanked = [
        f"{path}:{line} {name}"
        for path, all_ in found.items()
        for line, name in all_
        if name in PERSONAL_FIELDS
    ]
    assert blanked == []
