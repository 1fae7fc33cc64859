"""A gauge that is read from elsewhere as a whole: a scrape sees one reading or the next, and never a part of one.

Before the first reading it has no series, so a process that reads nothing never shows a 0. `known` lists the values that a
label can have: each of them is then exported, as 0 where the reading has no row. Without `known`, what the reading lacks is
absent: an age where nothing waits is no age.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

Labels = tuple[str, ...]
"""The values of a gauge's labels, in their order."""


class Sampled:
    """A gauge whose series are replaced at once. Times are ages in seconds of domain time unless its meaning says otherwise."""

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str] = (),
        known: Mapping[str, Iterable[str]] | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.name, self.meaning, self.labels = name, meaning, tuple(labels)
        self.known = None if known is None else {label: tuple(map(str, known[label])) for label in known}
        self._rows: Mapping[Labels, float] = {}
        self._read: Callable[[], Mapping[Labels, float]] | None = None
        self._seen: set[Labels] = set()
        registry.register(self)

    def expect(self, **values: str) -> None:
        """Export 0 for these values of the labels that `known` does not list, although no reading had them yet."""
        self._seen.add(tuple(values[label] for label in self._others))

    def replace(self, rows: Mapping[Labels, float]) -> None:
        """Show this reading from now on."""
        self._rows = {**self._zeros(rows), **rows}

    def set_function(self, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Read it at each scrape from now on."""
        self._read = read

    def value(self, *labels: str) -> float | None:
        """The value as it is exported; None where there is no such series."""
        return self._rows.get(labels)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """What Prometheus sees."""
        family = self._family()
        if self._read is not None:
            self.replace(self._read())
        for labels, value in self._rows.items():
            family.add_metric(labels, value)
        return [family]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Its name and meaning, without a series."""
        return [self._family()]

    @property
    def _others(self) -> Labels:
        return tuple(label for label in self.labels if label not in (self.known or {}))

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.meaning, labels=self.labels)

    def _zeros(self, rows: Iterable[Labels]) -> dict[Labels, float]:
        if self.known is None:
            return {}
        others = self._others
        places = [self.labels.index(label) for label in others]
        self._seen.update(tuple(row[place] for place in places) for row in rows)
        seen = self._seen or (set() if others else {()})
        ranges = [self.known.get(label, ()) for label in self.labels]
        zeros: dict[Labels, float] = {}
        for values in seen:
            given = dict(zip(others, values, strict=True))
            options = [
                (given[label],) if label in given else ranges[i] for i, label in enumerate(self.labels)
            ]
            zeros.update(dict.fromkeys(product(*options), 0.0))
        return zeros
