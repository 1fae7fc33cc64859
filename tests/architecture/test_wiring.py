"""The services and the catalogue say the same: who reads what, who emits what."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import settings_for
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import consumed_types
from bdcan_local.processes import SERVICES, own_name

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


def test_loops_read_what_the_catalogue_says(
    service: Service,
) -> None:
    declared = {(topic.name, kind) for topic, kind in consumed_types(CATALOGUE, service.name)}
    read = {pair for consumer in service.consumers for pair in consumer.bind(CATALOGUE)}
    assert read == declared


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
