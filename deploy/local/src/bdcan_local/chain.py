"""A file to which each act adds a line, whose hash covers the line before it.

Whoever may act owns the file too: the chain shows what was changed, and prevents nothing.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def add(path: Path, said: Mapping[str, object]) -> None:
    """Add a line."""
    path.touch(mode=0o600)
    with path.open("r+", encoding="utf-8") as lines:
        fcntl.flock(lines, fcntl.LOCK_EX)  # two commands at once make one chain
        known = list(_read(lines.read()))
        last = known[-1] if known else None
        entry = {
            "seq": 1 if last is None else last["seq"] + 1,
            "at": datetime.now(UTC).isoformat(),
            **said,
            "previous_hash": "" if last is None else last["hash"],
        }
        lines.write(json.dumps(entry | {"hash": _hash(entry)}) + "\n")


def verify(path: Path) -> tuple[int, str | None]:
    """How many lines there are, and what is wrong with the first that is not as it was written (None: all are)."""
    rows, previous = 0, ""
    if not path.exists():
        return 0, None
    try:
        for rows, entry in enumerate(_read(path.read_text(encoding="utf-8")), start=1):  # counted
            if entry["seq"] != rows or entry["previous_hash"] != previous:
                return rows, f"row {rows} is missing or moved"
            if entry["hash"] != _hash({name: value for name, value in entry.items() if name != "hash"}):
                return rows, f"row {rows} was changed"
            previous = entry["hash"]
    except (ValueError, KeyError, TypeError):
        return rows, f"row {rows + 1} cannot be read"
    return rows, None


def _read(text: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in text.splitlines())


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
