"""The page on security names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_promise_names_tests_that_exist():
    promises = (ROOT / "docs" / "security.md").read_text().partition("## What is promised")[2]
    rows = [row for row in promises.partition("\n## ")[0].splitlines() if row.startswith("| ")][2:]
    assert rows
    for row in rows:
        named = re.findall(r"`([\w/-]+/test_\w+\.py)`", row)
        assert named, row
        assert [path for path in named if not (ROOT / path).is_file()] == [], row
