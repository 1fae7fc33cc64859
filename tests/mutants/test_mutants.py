"""Each mutant still changes the code: one whose text is gone would break nothing."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from .__main__ import _SOURCE, mutate
from .table import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_differs_from_the_chassis_and_is_valid_python(mutant: Mutant, tmp_path: Path) -> None:
    file = tmp_path / "bdcan_chassis" / mutant.file
    file.parent.mkdir(parents=True)
    shutil.copy(_SOURCE / "bdcan_chassis" / mutant.file, file)
    mutate(mutant, tmp_path)
    assert file.read_text() != (_SOURCE / "bdcan_chassis" / mutant.file).read_text()
    ast.parse(file.read_text())
    assert all((Path("libs/chassis/tests") / f"test_{name}.py").exists() for name in mutant.tests.split())


def test_mutant_names_are_unique() -> None:
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
