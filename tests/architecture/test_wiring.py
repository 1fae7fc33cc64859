"""The services and the catalogue say the same: who reads what, who emits what."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from prometheus_client import Gauge

from bdcan_chassis.pauses import loops_of
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.table import Table
from bdcan_chassis.testing.harness import settings_for
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import consumed_types
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.schema_files import path_of

ROOT = Path(__file__).parents[2]


def settings_class(name: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"{own_name(name)}.settings")
    return module.Settings


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Service:
    keys = tmp_path / "keys.json"
    keys.write_text("[]")
    app = importlib.import_module(f"{own_name(request.param)}.app")
    more = {
        "intake_url": "http://127.0.0.1:1",
        "intake_api_key": "x",
        "council_url": "http://127.0.0.1:1",
        "council_api_key": "x",
        "council_callback_secret": "x" * 32,
    }
    return app.service(
        settings_for(settings_class(request.param), "postgresql://x:x@127.0.0.1:1/x", keys, **more)
    )


def test_consumers_read_what_the_catalogue_says(
    service: Service,
) -> None:
    declared = {(topic.name, kind) for topic, kind in consumed_types(CATALOGUE, service.name)}
    read = {pair for consumer in service.consumers for pair in consumer.bind(CATALOGUE)}
    assert read == declared


def test_urgent_loops_are_loops_and_none_that_moves_urgent_events_is_forgotten(service: Service) -> None:
    moves_urgent = {
        f"consumer:{consumer.name}"
        for consumer in service.consumers
        if any(line.topic.traffic_class == "urgent" for line in consumer.table)
    }
    if "urgent" in service.traffic_classes:
        moves_urgent.add("relay:urgent")
    assert moves_urgent <= service.urgent_loops <= set(loops_of(service))


def test_each_owned_event_type_is_made_somewhere(
    service: Service,
) -> None:
    source = ROOT / "services" / service.name / "src"
    made = {
        node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    }
    owned = {
        t.model.__name__
        for t in CATALOGUE.event_types
        if any(service.name in topic.writers for topic in t.topics)
    }
    assert owned - made == set()


def test_inbox_outlasts_every_topic(service: Service) -> None:
    from bdcan_chassis.housekeeping import check_inbox_retention

    check_inbox_retention(service.consumers, service.settings.inbox_retention)


def test_service_folders_have_one_shape() -> None:
    expected = {
        "__init__",
        "__main__",
        "app",
        "settings",
        "api",
        "handlers",
        "books",
        "worker",
        "metrics",
        "domain",
        "store",
    }
    for name in SERVICES:
        present = {p.stem for p in (ROOT / "services" / name / "src" / own_name(name)).iterdir()}
        assert expected <= present, f"{name} lacks {expected - present}"
        assert {"README.md", "pyproject.toml", "tests"} <= {
            p.name for p in (ROOT / "services" / name).iterdir()
        }


def test_every_gauge_of_a_service_is_read_from_its_database(service: Service) -> None:
    metrics = importlib.import_module(f"{own_name(service.name)}.metrics")
    gauges = {name for name, value in vars(metrics).items() if isinstance(value, Gauge)}
    read = [sample.gauge for sample in service.samples]
    assert {name for name in gauges if getattr(metrics, name) not in read} == set()


def test_every_field_of_a_struct_is_a_column_of_its_table(service: Service) -> None:
    schema = (ROOT / path_of(service.name)).read_text("utf-8")
    stores = importlib.import_module(f"{own_name(service.name)}.store")
    tables = {
        id(value): value
        for module in pkgutil.iter_modules(stores.__path__, f"{stores.__name__}.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Table)
    }
    assert tables
    for table in tables.values():
        found = re.search(rf"^CREATE TABLE [\w.]+\.{table.name} \((.*?)^\)", schema, re.MULTILINE | re.DOTALL)
        assert found, f"no migration makes {table.name}"
        columns = dict(re.findall(r"^    (?!CONSTRAINT)(\w+) (.*?),?$", found[1], re.MULTILINE))
        assert set(table.columns) <= set(columns), table.name
        needed = {name for name, kind in columns.items() if "NOT NULL" in kind and "DEFAULT" not in kind}
        numbered = re.findall(rf"\.{table.name} ALTER COLUMN (\w+) ADD GENERATED", schema)
        assert needed - {*table.columns, *numbered, table.stamp} == set(), (
            f"{table.name}: nothing fills these"
        )
