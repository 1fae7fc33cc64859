"""Alerts ask for declared metrics only, and each leads to a heading of the page for operations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from bdcan_local.metrics_page import declared

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for file in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["rule_files"]
    for group in yaml.safe_load((PROMETHEUS / file).read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_asks_for_declared_metrics_and_has_a_runbook(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    names = set(re.findall(r"\bbdcan_\w+", rule["expr"]))
    assert names
    assert names <= {metric.name for metric in declared()}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, _, heading = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert heading in {found.lower().replace(" ", "-") for found in headings}
