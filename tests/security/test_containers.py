"""The compose file: no container writes to its image, has a privilege, or takes more than its share of the machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bdcan_local.processes import SERVICES

COMPOSE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8")
)

WITH_CAPABILITIES = {
    "secrets": {"CHOWN", "DAC_OVERRIDE", "FOWNER"},
    "provision": {"DAC_OVERRIDE"},
    "reconcile-grants": {"DAC_OVERRIDE"},
    "bdcan": {"DAC_OVERRIDE"},
    "backup": {"DAC_OVERRIDE"},
    "restore": {"CHOWN", "DAC_OVERRIDE", "FOWNER"},
}
"""Those that run as root, because secrets and data belong to different users; and all that they may."""


@pytest.fixture(params=COMPOSE["services"].items(), ids=lambda item: item[0])
def container(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param


def test_container_has_no_privilege(container: tuple[str, dict[str, Any]]) -> None:
    name, settings = container
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert set(settings.get("cap_add", ())) == WITH_CAPABILITIES.get(name, set())
    assert settings["security_opt"] == ["no-new-privileges:true"]
    for forbidden in ("privileged", "devices", "network_mode", "pid", "ipc", "userns_mode"):
        assert forbidden not in settings


def test_container_runs_as_a_user_of_its_own(container: tuple[str, dict[str, Any]]) -> None:
    name, settings = container
    user = settings["user"].partition(":")[0]
    assert (user == "0") == (name in WITH_CAPABILITIES)
    others = [
        other["user"]
        for told, other in COMPOSE["services"].items()
        if told != name and other["image"] != settings["image"]
    ]
    assert user == "0" or settings["user"] not in others


def test_container_has_limits(container: tuple[str, dict[str, Any]]) -> None:
    _, settings = container
    assert settings["mem_limit"]
    assert 0 < settings["pids_limit"] <= 1024
    assert 0 < settings["cpus"] <= 2
    assert all("size=" in place for place in settings["tmpfs"])


def test_container_publishes_on_this_machine_alone(container: tuple[str, dict[str, Any]]) -> None:
    _, settings = container
    assert all(port.startswith("127.0.0.1:") for port in settings.get("ports", ()))


def test_container_mounts_nothing_of_the_machine_that_it_can_change(
    container: tuple[str, dict[str, Any]],
) -> None:
    _, settings = container
    for given in settings.get("volumes", ()):
        mount = re.sub(r"\$\{BDCAN_\w+:-([^}]*)\}", r"\1", given)  # the operator may name another folder
        source = mount.partition(":")[0]
        assert source in COMPOSE["volumes"] or (source.startswith("./deploy/") and mount.endswith(":ro"))


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_container_that_migrates_has_the_owners_secrets(service: str) -> None:
    users = {}
    for verb in ("migrate", "api", "worker"):
        settings = COMPOSE["services"][f"{service}-{verb}"]
        folder = settings["environment"]["BDCAN_SECRETS_DIR"]
        assert (folder.endswith("-migrate")) == (verb == "migrate")
        users[verb] = settings["user"]
    assert users["api"] == users["worker"] != users["migrate"]
