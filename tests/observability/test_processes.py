"""The local table of processes, docker-compose.yml and prometheus.yml name the same processes, and watch each."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_local import access, compose_secrets
from bdcan_local.access import grants
from bdcan_local.kafka import Kafka
from bdcan_local.postgres import Postgres
from bdcan_local.processes import SERVICES, USUAL_PORTS, System, one_shot_units, service_units
from bdcan_local.provision import EXPORTER
from bdcan_local.secrets_store import SecretsStore

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|CREDENTIAL")


@pytest.fixture(scope="module")
def compose() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


@pytest.fixture(scope="module")
def prometheus() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))


@pytest.fixture
def table(tmp_path: Path) -> dict[str, list[str]]:
    """The local processes with what each runs."""
    system = System(
        data=tmp_path,
        ports=USUAL_PORTS,
        secrets=SecretsStore(tmp_path),
        postgres=Postgres(tmp_path, 1, "x"),
        kafka=Kafka(tmp_path, 1, 2, "x", ()),
        clock="system",
        log_level="INFO",
        environment={},
    )
    units = [*(unit for stage in one_shot_units(system) for unit in stage), *service_units(system)]
    return {unit.name: list(unit.command.argv[2:]) for unit in units}  # after `python -m`


def test_local_runner_and_compose_run_the_same_processes(
    table: dict[str, list[str]], compose: dict[str, dict[str, Any]]
) -> None:
    ours = {
        name: process["command"]
        for name, process in compose.items()
        if process.get("image", "").startswith("bdcan/")
        and name
        not in {
            "secrets",
            "provision",
            "demo",
            "bdcan",
            "sandbox",
            "catcher",
            "backup",
            "restore",
            "reconcile",
            "reconcile-grants",
        }
    }
    assert ours == table


def test_prometheus_scrapes_each_process_on_its_port(
    compose: dict[str, dict[str, Any]], prometheus: dict[str, Any]
) -> None:
    ports = {"api": "BDCAN_HTTP_PORT", "worker": "BDCAN_OPS_PORT", "pulse": "BDCAN_OPS_PORT"}
    served = {
        f"{name}:{process['environment'][ports[process['command'][1]]]}"
        for name, process in compose.items()
        if process.get("image", "").startswith("bdcan/") and process["command"][1] in ports
    }
    scraped = [
        target
        for job in prometheus["scrape_configs"]
        for config in job["static_configs"]
        for target in config["targets"]
    ]
    others = [
        f"backup:{USUAL_PORTS['backup']}",
        "reconcile:9000",
        "postgres-exporter:9187",
        "kafka-exporter:9308",
    ]
    assert sorted(scraped) == sorted([*served, *others])


def test_each_target_has_its_service_and_process(
    compose: dict[str, dict[str, Any]], prometheus: dict[str, Any]
) -> None:
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    assert jobs.keys() == {"bdcan", "backup", "reconcile", "postgres", "kafka"}
    job = jobs["bdcan"]
    for target in job["static_configs"][0]["targets"]:
        labels = {}
        for rule in job["relabel_configs"]:
            found = re.fullmatch(rule["regex"], target)
            assert found, f"{rule['regex']} does not fit {target}"
            labels[rule["target_label"]] = found[1]
        assert labels["process"] in compose
        assert compose[labels["process"]]["image"] == f"bdcan/{labels['service']}"


def test_who_reconciles_reads_as_roles_that_can_do_nothing_else(compose: dict[str, dict[str, Any]]) -> None:
    assert compose["reconcile"]["user"] == str(compose_secrets._RECONCILE_USER)
    assert compose["reconcile"]["command"][-1] == "9000"
    assert compose["reconcile-grants"]["depends_on"].keys() == {f"{service}-migrate" for service in SERVICES}


def test_exporters_log_in_as_those_who_see_no_row_and_no_record(
    compose: dict[str, dict[str, Any]],
) -> None:
    postgres, kafka = compose["postgres-exporter"], compose["kafka-exporter"]
    assert postgres["user"].partition(":")[0] == str(compose_secrets._POSTGRES_EXPORTER_USER)
    assert kafka["user"].partition(":")[0] == str(compose_secrets._KAFKA_EXPORTER_USER)
    assert postgres["environment"]["DATA_SOURCE_USER"] == EXPORTER
    mine = {grant for grant in grants(CATALOGUE.topics) if grant.user == access.EXPORTER}
    assert {grant.operation for grant in mine} == {access.Operation.DESCRIBE}


def test_secrets_of_exporters_stand_where_compose_says(
    compose: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "chown", lambda *_: None)  # only root gives files away
    assert compose_secrets.main([str(tmp_path)]) == 0
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    postgres, kafka = compose["postgres-exporter"], compose["kafka-exporter"]
    named = [postgres["environment"]["DATA_SOURCE_PASS_FILE"], kafka["command"][-1].removeprefix("@")]
    assert {name.removeprefix("/run/bdcan/") for name in named} <= there
    arguments = (tmp_path / "services/kafka-exporter/arguments").read_text("utf-8").splitlines()
    assert arguments[0] == f"--sasl.username={access.EXPORTER}"
    assert arguments[1].startswith("--sasl.password=")


def test_long_running_processes_restart_and_have_a_health_check(
    compose: dict[str, dict[str, Any]],
) -> None:
    once = {name for name, process in compose.items() if "restart" not in process}
    waited_for = {
        name
        for process in compose.values()
        for name, on in (process["depends_on"].items() if isinstance(process.get("depends_on"), dict) else ())
        if on["condition"] == "service_completed_successfully"
    }
    assert once == waited_for | {"demo", "bdcan", "restore"}
    assert {name for name in compose if name not in once and "healthcheck" not in compose[name]} == set()


def test_compose_has_no_secret_and_no_open_port(
    compose: dict[str, dict[str, Any]],
) -> None:
    for name, process in compose.items():
        literal = [
            variable
            for variable, value in process.get("environment", {}).items()
            if SECRET.search(variable) and not str(value).startswith("/run/bdcan/")
        ]
        assert not literal, f"{name}: {literal}"
        assert [p for p in process.get("ports", []) if not p.startswith("127.0.0.1:")] == []


def test_no_two_services_share_a_user(
    compose: dict[str, dict[str, Any]],
) -> None:
    users: dict[str, set[str]] = {}
    for process in compose.values():
        if process.get("image", "").startswith("bdcan/"):
            who = process["image"] if process["image"] != "bdcan/tools" else str(process["command"][:2])
            users.setdefault(process["user"], set()).add(who)
    shared = {user: who for user, who in users.items() if len(who) > 1 and user != "0"}
    assert shared == {}


def test_user_ids_and_ports_follow_the_table(
    compose: dict[str, dict[str, Any]],
) -> None:
    assert len(set(USUAL_PORTS.values())) == len(USUAL_PORTS)
    for number, service in enumerate(SERVICES):
        api = compose[f"{service}-api"]
        assert api["user"] == str(compose_secrets._FIRST_SERVICE_USER + number)
        assert api["ports"] == [f"127.0.0.1:{USUAL_PORTS[f'{service}-api']}:8000"]
    assert compose["council"]["user"] == str(compose_secrets._COUNCIL_USER)
    assert compose["demo"]["user"] == str(compose_secrets._DEMO_USER)
