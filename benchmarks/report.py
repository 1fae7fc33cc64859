"""Writes what was measured: `results.json` for machines, `RESULTS.md` for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

HERE = Path(__file__).parent


def write(figures: Iterable[Figure], surroundings: Mapping[str, Any]) -> str:
    """Replace the lines that were measured, keep those of benchmarks that did not run; returns the table."""
    path = HERE / "results.json"
    lines = {line["name"]: line for line in _read(path)}
    for figure in figures:
        lines[figure.name] = {**figure.as_dict(), **surroundings}
    found = list(lines.values())
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = _page(found)
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    return text


def _read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _page(lines: list[dict[str, Any]]) -> str:
    parts = [
        "# Results",
        "",
        "Written by `make bench`; the end says which lines come from which run.",
        "",
    ]
    parts += _table(lines)
    parts += ["", "## Processor time", "", "Microseconds for one piece of work, user and system.", ""]
    for line in lines:
        if line["cpu_us"]:
            cpu = " · ".join(f"{name} {value:,.0f}" for name, value in line["cpu_us"].items())
            parts.append(f"- **{line['name']}**: {cpu}")
    parts += ["", "## How it was measured", ""]
    for line in lines:
        others = ", ".join(f"{name} {_number(value)}" for name, value in line["others"].items())
        also = f" Also: {others} {line['unit']}." if others else ""
        times = "once" if line["repetitions"] == 1 else f"{line['repetitions']} repetitions"
        parts.append(f"- **{line['name']}**: {line['note']}; {times}.{also}")
    parts += ["", "## Machine and versions", ""]
    runs: dict[str, dict[str, None]] = {}
    for line in lines:
        what = line["name"].partition(",")[0]
        runs.setdefault(json.dumps([line["machine"], line["versions"]]), {})[what] = None
    for run, names in runs.items():
        machine, versions = json.loads(run)
        parts.append(f"- **{', '.join(names)}**: {', '.join(f'{k} {v}' for k, v in machine.items())}")
        parts.append(f"  - {', '.join(f'{k} {v}' for k, v in versions.items())}")
    return "\n".join(parts) + "\n"


def _table(lines: list[dict[str, Any]]) -> list[str]:
    rows = [
        "| what | unit | product (from – to) | bare | naive | of bare | of naive |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for line in lines:
        low, high = line["spread"].get("project", (None, None))
        ours = f"{_number(line['project'])} ({_number(low)} – {_number(high)})"
        cells = [
            line["name"],
            line["unit"],
            ours,
            _number(line["bare"]),
            _number(line["naive"]),
            _ratio(line["ratio_to_bare"]),
            _ratio(line["ratio_to_naive"]),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
