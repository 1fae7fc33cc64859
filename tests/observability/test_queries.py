"""A real Prometheus, which watches a system at work, answers every query of the dashboards and of the alerts."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bdcan_local.errors import PlatformError
from bdcan_local.processes import reconcile_unit
from bdcan_local.prometheus_config import RULES
from bdcan_local.root import Root
from tests import demo
from tests.rehearsal.watchers import program, prometheus

DASHBOARDS = Path("deploy/grafana/dashboards")
SPEED = 60.0
REFERRALS = 400
PATIENCE = 300.0
SILENT_IN_CALM = {
    "doors: Callers refused, per minute": "a request over a limit",
    "doors: Share refused": "a record that comes in",
    "doors: What is wrong, last 24 hours": "a record that is refused",
    "doors: First key to end, in": "a key with an end",
    "doors: First Kafka user to end, in": "a user with an end",
    "doors: Later receipts, per hour": "minutes of history",
    "escalations: Open by lane and state": "five cases of one kind: fewer are shown to nobody",
    "food: Parcels that lack an item": "an item that is short",
    "food: Stock moved, per hour": "minutes of history",
    "hub: Matching, seven days": "tasks that have come due: a day, for most",
    "hub: Way of an offer, metres": "a volunteer who has named a postcode",
    "hub: Longest wait for a call": "a hub in which nobody waits, or one in which somebody does",
    "hub: Oldest open task": "a hub without an open task, or one with one",
    "hub: To look at": "a call that a person must look at",
    **dict.fromkeys(
        (
            "platform: Database connections, by database",
            "platform: Oldest transaction",
            "platform: Locks held, by database",
            "platform: Size on disk, by database",
            "platform: Servers",
            "platform: Partitions with too few copies",
            "platform: Records behind, as Kafka sees it",
            "platform: Members of each group",
        ),
        "an exporter, which compose alone runs",
    ),
    "platform: Spans dropped, per second": "traces that are on",
    "service: Deadlines handled, per minute": "a deadline that comes due",
    "service: Late by (p99)": "a deadline that comes due",
    "service: Refused": "a request over a limit",
    "service: Set aside by reason": "a dead letter",
    "slo: Kept: triage": "a referral that somebody has placed",
}
"""Panels that can say nothing while all is well, and what they wait for."""


def program_is_missing() -> str:
    """Why these tests cannot run here; empty: they can."""
    try:
        program("prometheus")
    except PlatformError as error:
        return f"{error.what}: `make promtool` builds it with Go"
    return ""


pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(program_is_missing()), reason=program_is_missing()),
]


@asynccontextmanager
async def at_work(directory: Path) -> AsyncIterator[Root]:
    """A system on which the demo plays."""
    root = Root(directory)
    async with demo.system(root, demo.clock(SPEED)) as running:
        await running.supervisor.start(reconcile_unit(running.system, directory, 5.0))
        async with demo.people(root, REFERRALS):
            yield root


@pytest.fixture(scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    async with at_work(tmp_path_factory.mktemp("queries")) as root, prometheus(root) as client:
        yield client


def queries() -> Iterator[tuple[str, str]]:
    """Each query of each panel, its variables replaced, with the names of its dashboard and panel."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", _plain(target["expr"])


def choices() -> Iterator[tuple[str, str]]:
    """The query of each variable, with the name of its dashboard."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for variable in json.loads(path.read_text("utf-8")).get("templating", {}).get("list", []):
            query = variable["query"]
            yield path.stem, query if isinstance(query, str) else query["query"]


def _plain(expr: str) -> str:
    for name, value in {"__rate_interval": "1m", "__range": "30m", "service": "intake", "hub": ".+"}.items():
        expr = re.sub(rf"\$(?:{name}\b|\{{{name}(?::\w+)?\}})", value, expr)
    assert "$" not in expr, expr
    return expr


async def answer(client: httpx.AsyncClient, expr: str) -> list[Any]:
    said = (await client.get("/api/v1/query", params={"query": expr})).json()
    assert said["status"] == "success", f"{expr}: {said.get('error')}"
    return said["data"]["result"]


async def test_each_query_of_a_panel_has_an_answer(asked: httpx.AsyncClient) -> None:
    waiting = {(panel, expr) for panel, expr in queries() if panel not in SILENT_IN_CALM}
    end = time.monotonic() + PATIENCE
    while True:
        waiting = {(panel, expr) for panel, expr in waiting if not await answer(asked, expr)}
        if not waiting or time.monotonic() > end:
            break
        await asyncio.sleep(1)
    assert not waiting, "\n".join(f"{panel}: {expr}" for panel, expr in sorted(waiting))


async def test_panels_that_are_silent_in_calm_are_asked_without_error(asked: httpx.AsyncClient) -> None:
    panels = {panel for panel, _ in queries()}
    assert panels >= SILENT_IN_CALM.keys()
    for panel, expr in queries():
        if panel in SILENT_IN_CALM:
            await answer(asked, expr)


async def test_each_choice_above_the_panels_offers_something(asked: httpx.AsyncClient) -> None:
    for board, query in choices():
        parts = re.fullmatch(r"label_values\((?P<metric>.+), (?P<label>\w+)\)", query)
        assert parts, query
        series = await answer(asked, parts["metric"])
        assert any(parts["label"] in one["metric"] for one in series), f"{board}: {query}"


async def test_prometheus_evaluates_each_alert(asked: httpx.AsyncClient) -> None:
    written = {
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    said = (await asked.get("/api/v1/rules", params={"type": "alert"})).json()
    rules = [rule for group in said["data"]["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == written
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] == "err"} == {}
