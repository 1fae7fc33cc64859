"""Every list of services names every service. These tests find a forgotten place before a first start does."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path
from typing import Any

from bdcan_local.processes import SERVICES, own_name

ROOT = Path(__file__).parents[2]
PACKAGES = {own_name(service) for service in SERVICES}
PROJECTS = {f"bdcan-{service}" for service in SERVICES}


def toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text("utf-8"))


def test_each_service_folder_runs_as_a_process() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    assert folders == set(SERVICES)


def test_workspace_lists_every_service() -> None:
    root, local = toml("pyproject.toml"), toml("deploy/local/pyproject.toml")
    assert root["tool"]["uv"]["sources"].keys() >= PROJECTS
    assert set(root["tool"]["ruff"]["lint"]["isort"]["known-first-party"]) >= PACKAGES
    assert set(local["project"]["dependencies"]) >= PROJECTS
    assert local["tool"]["uv"]["sources"].keys() >= PROJECTS


def test_import_rules_cover_every_service() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    for section in rules.sections():
        for key, value in rules.items(section):
            named = {
                line.strip().removesuffix(".domain")
                for line in value.splitlines()
                if line.startswith("bdcan_")
            }
            assert not named & PACKAGES or named >= PACKAGES, f"{section} {key} lacks {PACKAGES - named}"
