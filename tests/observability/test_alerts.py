"""Alerts ask for declared metrics only; each has a test, a runbook, a severity, and a place in what Alertmanager holds back."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from bdcan_local.metrics_page import declared
from tests.rehearsal import promises
from tests.rehearsal.calm import calm
from tests.rehearsal.faults import FAULTS
from tests.rehearsal.watchers import RESEND, WATCHDOG_SILENT

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for file in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["rule_files"]
    for group in yaml.safe_load((PROMETHEUS / file).read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
NAMES = {rule["alert"] for rule in ALERTS}
PROMISES = ("The resident", "Who", "Do", "Call", "Over when")
"""What a runbook says."""


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "operations.md").read_text("utf-8")


@pytest.fixture(scope="module")
def alertmanager() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text("utf-8"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_asks_for_declared_metrics(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    asked = set(re.findall(r"(?<!:)\bbdcan_\w+", rule["expr"]))
    recorded = set(re.findall(r"\bbdcan:[\w:]+", rule["expr"]))
    assert (
        asked
        or recorded
        or rule["expr"] == "vector(1)"
        or "up{" in rule["expr"]
        or "process_" in rule["expr"]
    )
    assert asked <= {series for metric in declared() for series in metric.series}
    assert recorded <= {other["record"] for other in RULES if "record" in other}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_has_a_severity_a_summary_and_a_runbook(rule: dict[str, Any], page: str) -> None:
    assert rule["labels"]["severity"] in ({"none"} if rule["alert"] == "Watchdog" else {"page", "ticket"})
    assert rule["annotations"]["summary"]
    name, _, heading = rule["annotations"]["runbook"].partition("#")
    assert name == "docs/operations.md"
    headings = re.findall(r"^##+ (.+)$", page, re.MULTILINE)
    assert heading in {found.lower().replace(" ", "-") for found in headings}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_fires_in_its_fault_and_is_silent_when_calm(rule: dict[str, Any]) -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / f"{rule['alert']}.yml").read_text("utf-8"))["tests"]
    asked = [
        (bool(one["exp_samples"]), one["expr"])
        for test in tests
        for one in test["promql_expr_test"]
        if f'alertname="{rule["alert"]}"' in one["expr"]
    ]
    wanted = {True} if rule["alert"] == "Watchdog" else {True, False}
    assert {fires for fires, _ in asked} == wanted


def test_no_test_is_left_of_an_alert_that_is_gone() -> None:
    assert {path.stem for path in (PROMETHEUS / "tests").glob("*.yml")} == NAMES


def test_each_runbook_says_who_waits_what_to_do_and_when_it_is_over(page: str) -> None:
    parts = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    runbooks = {part.partition("\n")[0]: part for part in parts}
    assert runbooks.keys() <= NAMES | {"EventsStuck", "HttpBudgetBurns"}, "a runbook without an alert"
    for name, text in runbooks.items():
        places = [text.find(f"- **{promise}:**") for promise in PROMISES]
        assert -1 not in places, f"{name} does not say {PROMISES[places.index(-1)]}"
        assert all(one < other for one, other in pairwise(places)), name


def test_alertmanager_names_alerts_and_receivers_that_are_there(alertmanager: dict[str, Any]) -> None:
    receivers = {receiver["name"] for receiver in alertmanager["receivers"]}
    route = alertmanager["route"]
    assert {route["receiver"], *(inner["receiver"] for inner in route["routes"])} == receivers
    for receiver in alertmanager["receivers"]:
        for hook in receiver["webhook_configs"]:
            delivered = ROOT / "deploy/alertmanager/receivers" / Path(hook["url_file"]).name
            assert delivered.read_text("utf-8") == f"http://catcher:9095/{receiver['name']}"
    for rule in alertmanager["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, _, value = re.split(r"\s*(=~|=)\s*", matcher)
            if label == "alertname":
                assert set(value.strip('"').split("|")) <= NAMES, matcher


def test_rehearsals_wait_for_alerts_that_are_there() -> None:
    faults = [*FAULTS, *promises.PROMISES, calm()]
    assert len({fault.name for fault in faults}) == len(faults)
    named = {name for fault in faults for name in (*fault.fires, *fault.beside)}
    assert named <= NAMES | {WATCHDOG_SILENT}


def test_watchdog_is_told_often_and_a_dead_prometheus_is_noticed_soon(alertmanager: dict[str, Any]) -> None:
    [told] = [route for route in alertmanager["route"]["routes"] if route["receiver"] == "watchdog"]
    every = [int(told[name].removesuffix("s")) for name in ("group_interval", "repeat_interval")]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    assert RESEND in compose["prometheus"]["command"]
    assert max(every) <= 20


def test_no_alert_about_a_resident_is_held_back_by_a_machine(alertmanager: dict[str, Any]) -> None:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    of_residents = {rule["alert"] for rule in groups[0]["rules"]}
    for rule in alertmanager["inhibit_rules"]:
        [source] = [m.split(" = ")[1] for m in rule["source_matchers"] if m.startswith("alertname")]
        targets = {
            name
            for matcher in rule["target_matchers"]
            if matcher.startswith("alertname")
            for name in re.split(r"\s*(?:=~|=)\s*", matcher)[1].strip('"').split("|")
        }
        if source not in of_residents:
            assert targets & of_residents <= {"ReferralsNotPlaced"}
