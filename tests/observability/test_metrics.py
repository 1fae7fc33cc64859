"""Each metric is declared in one place and says what it means, and the page of metrics is up to date."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from bdcan_local.metrics_page import PAGE, Metric, declared, page

ROOT = Path(__file__).parents[2]
KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "Sampled"}


@pytest.fixture(scope="module")
def metrics() -> list[Metric]:
    return declared()


def made_in(source: Path) -> set[str]:
    """The kinds of prometheus_client's metrics that a file makes."""
    tree = ast.parse(source.read_text("utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("prometheus_client", "bdcan_chassis.sampled"))
        for alias in node.names
    }
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return imported & called & KINDS


def test_metrics_are_made_only_in_the_lists() -> None:
    sources = [p for part in ("libs", "services", "deploy") for p in (ROOT / part).glob("*/src/**/*.py")]
    makers = {
        p.relative_to(ROOT).as_posix()
        for p in [*sources, *(ROOT / "deploy").rglob("src/**/*.py")]
        if made_in(p)
    }
    listed = {p.relative_to(ROOT).as_posix() for p in sources if p.name == "metrics.py"}
    assert makers == listed


def test_metric_names_are_unique_and_follow_the_conventions(
    metrics: list[Metric],
) -> None:
    twice = [name for name, count in Counter(m.name for m in metrics).items() if count > 1]
    assert not twice
    assert [m.name for m in metrics if not m.name.startswith("bdcan_")] == []
    assert [m.name for m in metrics if m.kind == "histogram" and not m.name.endswith("_seconds")] == []


def test_every_metric_says_what_it_means(metrics: list[Metric]) -> None:
    assert [m.name for m in metrics if len(m.meaning.split()) < 3] == []


def test_committed_page_of_metrics_is_up_to_date() -> None:
    assert (ROOT / PAGE).read_text("utf-8") == page(), "run: make gen"
