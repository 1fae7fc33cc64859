"""Fixtures of the contract tests: the sources, and a copy of them to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bdcan_contract_tools.sources import SCHEMAS, Sources, load

# a copy of npm's packages for each test filled a disk
_NOT_CONTRACTS = shutil.ignore_patterns("tools", "node_modules", "__pycache__")


@pytest.fixture(scope="session")
def sources() -> Sources:
    return load()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of `schemas/` (and the place of `docs/`), for a test to change."""
    root = tmp_path / "schemas"
    shutil.copytree(SCHEMAS, root, ignore=_NOT_CONTRACTS)
    shutil.copytree(SCHEMAS.parent / "docs", tmp_path / "docs")
    return root
