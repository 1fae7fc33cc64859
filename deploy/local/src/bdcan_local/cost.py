"""What a run costs: the CPU seconds of each process, and of one request."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bdcan_local.supervisor import Status

SIMULATOR = "simulator"


@dataclass(frozen=True)
class Meter:
    """The CPU seconds that a system had used when the run began. A unit that restarts counts from its restart."""

    statuses: Mapping[str, Status]
    before: Mapping[str, float]

    @classmethod
    def start(cls, statuses: Mapping[str, Status]) -> "Meter":
        """Begin to count."""
        return cls(statuses, _used(statuses))

    def add_to(self, report: Path) -> str | None:
        """Add `cpu_seconds` (by process) and `cpu_ms_per_request` to a report; returns the line to print.

        None: the simulator wrote no report.
        """
        if not report.exists():
            return None
        written = json.loads(report.read_text())
        seconds = {
            name: round(used - self.before.get(name, 0.0), 1) for name, used in _used(self.statuses).items()
        }
        seconds[SIMULATOR] = round(written["simulator_cpu_seconds"], 1)
        requests = max(written["requests"], 1)
        ranked = dict(sorted(seconds.items(), key=lambda item: -item[1]))
        each = {name: round(1000 * used / requests, 2) for name, used in ranked.items()}
        total = round(1000 * sum(seconds.values()) / requests, 2)
        written |= {"cpu_seconds": ranked, "cpu_ms_per_request": {"all": total, **each}}
        report.write_text(json.dumps(written, indent=1) + "\n")
        parts = ", ".join(f"{name} {ms}" for name, ms in each.items())
        return f"CPU: {sum(seconds.values()):.0f} s, {total} ms a request ({parts})"


def _used(statuses: Mapping[str, Status]) -> dict[str, float]:
    return {name: _of_tree(status.pid) for name, status in statuses.items() if status.pid is not None}


def _of_tree(pid: int) -> float:
    """CPU seconds of a process and its children, those that have ended included."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                times = member.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
