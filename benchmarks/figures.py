"""Figures: what a benchmark hands to the report."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One line of the report: the product's figure, and those of what it is compared with.

    `samples` holds a figure a repetition for each contender: `project`, `bare`, `naive` and any others. Repetitions
    are interleaved, so that the ratio is taken within a repetition, where both had the same machine.
    """

    name: str
    unit: str
    samples: Mapping[str, Sequence[float]]
    note: str = ""
    cpu: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Microseconds of processor time for one piece of work, by contender."""

    @property
    def cpu_us(self) -> dict[str, float]:
        """The median of `cpu`, of each contender that was sampled."""
        medians = {contender: median(samples) for contender, samples in self.cpu.items()}
        return {contender: found for contender, found in medians.items() if found is not None}

    def as_dict(self) -> dict[str, object]:
        """The line as `results.json` has it."""
        found: dict[str, object] = {"name": self.name, "unit": self.unit}
        for contender in ("project", "bare", "naive"):
            found[contender] = median(self.samples.get(contender))
        found["ratio_to_bare"] = self.ratio("bare")
        found["ratio_to_naive"] = self.ratio("naive")
        others = {c: median(s) for c, s in self.samples.items() if c not in found}
        found["others"] = others
        found["spread"] = {c: [min(s), max(s)] for c, s in self.samples.items() if s}
        found["repetitions"] = max((len(s) for s in self.samples.values()), default=0)
        found["cpu_us"] = self.cpu_us
        found["note"] = self.note
        return found

    def ratio(self, contender: str) -> float | None:
        """Median over the repetitions of project / contender."""
        ours, theirs = self.samples.get("project"), self.samples.get(contender)
        if not ours or not theirs:
            return None
        return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=False))


def median(samples: Sequence[float] | None) -> float | None:
    """The median, or None if there is none."""
    return statistics.median(samples) if samples else None


def percentile(samples: Sequence[float], share: float) -> float:
    """The value that `share` of the samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
