"""Grafana can load the dashboards, and they query only declared metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from bdcan_local.metrics_page import Metric, declared
from bdcan_local.processes import SERVICES
from bdcan_routing.domain.wards import WARD_NAMES, WARDS
from deploy.grafana.__main__ import written

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
SCRAPED = {"service", "process", "instance", "job"}
"""Labels that Prometheus adds."""
SCRAPES = {
    "up",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
"""Series of every scrape and every process."""


EXPORTED = {
    "pg_up": set[str](),
    "pg_stat_activity_count": {"datname", "state"},
    "pg_stat_activity_max_tx_duration": {"datname", "state"},
    "pg_settings_max_connections": set[str](),
    "pg_locks_count": {"datname", "mode"},
    "pg_database_size_bytes": {"datname"},
    "kafka_brokers": set[str](),
    "kafka_topic_partition_under_replicated_partition": {"topic", "partition"},
    "kafka_consumergroup_lag": {"consumergroup", "topic", "partition"},
    "kafka_consumergroup_members": {"consumergroup"},
}
"""Gauges of the exporters that compose runs, with their labels."""
UNDECLARED = SCRAPES | EXPORTED.keys()


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text("utf-8"))


@pytest.fixture(scope="module")
def series() -> dict[str, Metric]:
    return {name: metric for metric in declared() for name in metric.series}


def targets(dashboard: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], promql_parser.Expr]]:
    """Every query: the panel's title, the target, the parsed expression."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "30m")
            yield panel["title"], target, promql_parser.parse(expression)


def parts(expression: Any) -> Iterator[Any]:
    """An expression and everything in it."""
    yield expression
    for name in ("lhs", "rhs", "expr", "args", "param", "vector_selector"):
        inner = getattr(expression, name, None)
        for part in inner if isinstance(inner, list) else [inner]:
            if part is not None:
                yield from parts(part)


def names(expression: Any) -> set[str]:
    return {p.name or "" for p in parts(expression) if isinstance(p, promql_parser.VectorSelector)}


def paths(value: Any, at: str = "") -> dict[str, Any]:
    """Every leaf of a JSON document by its path; what is null or empty counts as not being there."""
    if isinstance(value, dict):
        return {k: v for name, inner in value.items() for k, v in paths(inner, f"{at}.{name}").items()}
    if isinstance(value, list):
        return {k: v for i, inner in enumerate(value) for k, v in paths(inner, f"{at}[{i}]").items()}
    return {} if value is None else {at: value}


def test_grafana_knows_every_field_of_a_dashboard(
    dashboard: dict[str, Any],
) -> None:
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    kept = paths(read)
    lost = {path: value for path, value in paths(dashboard).items() if kept.get(path) != value}
    assert lost == {}


def test_each_panel_has_its_own_id_and_place(
    dashboard: dict[str, Any],
) -> None:
    panels = dashboard["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    for p in panels:
        grid = p["gridPos"]
        assert 0 <= grid["x"] < grid["x"] + grid["w"] <= 24, f"{p['title']} leaves the grid"
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one['title']} overlaps {other['title']}"


def test_each_panel_says_what_it_shows(dashboard: dict[str, Any]) -> None:
    silent = [p["title"] for p in dashboard["panels"] if p["type"] != "row" and not p.get("description")]
    assert silent == []


def test_queries_use_only_declared_metrics_and_labels(
    dashboard: dict[str, Any], series: dict[str, Metric]
) -> None:
    for title, target, expression in targets(dashboard):
        asked = names(expression)
        assert asked, f"{title}: {target['expr']} asks for nothing"
        labels = SCRAPED | {"le"}.union(*(EXPORTED[name] for name in asked & EXPORTED.keys()))
        asked -= UNDECLARED
        assert asked <= series.keys(), f"{title}: nobody declares {asked - series.keys()}"
        labels = labels.union(*(series[name].labels for name in asked))
        for part in parts(expression):
            if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
                assert set(part.modifier.labels) <= labels, f"{title}: no such label in {target['expr']}"
        shown = set(re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", "")))
        assert shown <= labels, f"{title}: the legend names labels that are not there: {shown - labels}"


def test_counters_are_drawn_as_rates(dashboard: dict[str, Any], series: dict[str, Metric]) -> None:
    for title, _, expression in targets(dashboard):
        rated = {
            p.vector_selector.name for p in parts(expression) if isinstance(p, promql_parser.MatrixSelector)
        }
        bare = {name for name in names(expression) - rated - UNDECLARED if series[name].kind != "gauge"}
        assert not bare, f"{title} draws {bare} as it grows"


def test_dashboards_follow_a_referral_through_every_service(
    series: dict[str, Metric],
) -> None:
    asked = {
        series[name].owner
        for path in FILES
        for _, _, expression in targets(json.loads(path.read_text("utf-8")))
        for name in names(expression) - UNDECLARED
    }
    assert {"chassis", *SERVICES} <= asked


def test_dashboards_are_what_the_generator_makes() -> None:
    made = written()
    assert set(made) == set(FILES)
    stale = [path.name for path, text in made.items() if path.read_text("utf-8") != text]
    assert stale == [], "run: make gen"


def test_each_panel_says_from_which_value_on_it_is_bad_and_no_dead_worker_becomes_a_zero(
    dashboard: dict[str, Any],
) -> None:
    for panel in dashboard["panels"]:
        if panel["type"] in {"row", "text", "alertlist"}:
            continue
        first, *_ = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert first["value"] is None
        assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
        for target in panel["targets"]:
            assert "vector(0)" not in target["expr"], panel["title"]


def test_each_link_leads_to_a_dashboard_and_each_runbook_to_its_text() -> None:
    boards = {board["uid"]: board for board in (json.loads(path.read_text("utf-8")) for path in FILES)}
    for board in boards.values():
        for link in [*board["links"], *(link for p in board["panels"] for link in p.get("links", []))]:
            uid, _, rest = link["url"].removeprefix("/d/").partition("?")
            assert uid in boards, link["url"]
            if viewed := re.search(r"viewPanel=(\d+)", rest):
                titles = {p["id"]: p["title"] for p in boards[uid]["panels"]}
                assert link["title"] == f"Runbook: {titles[int(viewed[1])]}"


def test_each_ward_of_today_lies_once_on_the_map(series: dict[str, Metric]) -> None:
    board = json.loads((GRAFANA / "dashboards/triage.json").read_text("utf-8"))
    asks = re.compile(r'bdcan_requests_by_ward_total\{ward="(\w+)"\}')
    tiles = {
        panel["title"]: asks.search(panel["targets"][0]["expr"])
        for panel in board["panels"]
        if panel["type"] == "stat"
    }
    shown = {found[1]: title for title, found in tiles.items() if found}
    assert shown.pop("none") == "placed by a person"
    assert shown == {gss: WARD_NAMES[gss] for gss, ward in WARDS.items() if ward.vintage == 2022}


def test_no_panel_hangs_in_the_air(dashboard: dict[str, Any]) -> None:
    """Grafana moves a panel up until it meets another one: a gap above it would not stay."""
    floors = [p["gridPos"] for p in dashboard["panels"]]
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        meets = any(
            floor["y"] + floor["h"] == grid["y"]
            and floor["x"] < grid["x"] + grid["w"]
            and grid["x"] < floor["x"] + floor["w"]
            for floor in floors
        )
        assert meets or grid["y"] == 0, f"{panel['title']} would move up"


def test_the_overview_fits_one_screen() -> None:
    """1600 by 900 without scrolling: a row of Grafana's grid takes 38 pixels, its head and the links about 90."""
    panels = json.loads((GRAFANA / "dashboards/overview.json").read_text("utf-8"))["panels"]
    assert max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels) * 38 + 90 <= 900


def test_provisioning_finds_the_dashboards_and_their_data_source(
    dashboard: dict[str, Any],
) -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8"))
    compose = yaml.safe_load((GRAFANA.parents[1] / "docker-compose.yml").read_text("utf-8"))["services"]
    uids = {source["uid"] for source in sources["datasources"]}
    for panel in dashboard["panels"]:
        for asks in [panel, *panel.get("targets", [])] if panel["type"] not in {"row", "text"} else []:
            assert asks["datasource"]["uid"] in uids
        if panel["type"] == "alertlist":
            assert panel["options"]["datasource"] in {source["name"] for source in sources["datasources"]}
    for source in sources["datasources"]:
        host = source["url"].removeprefix("http://").partition(":")[0]
        assert host in compose
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/bdcan.yml").read_text("utf-8"))[
        "providers"
    ]
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert Path(home).name in {path.name for path in FILES}
    mounts = [volume.split(":")[:2] for volume in compose["grafana"]["volumes"]]
    assert ["./deploy/grafana/dashboards", provider["options"]["path"]] in mounts
    assert ["./deploy/grafana/provisioning", "/etc/grafana/provisioning"] in mounts
