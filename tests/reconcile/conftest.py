"""One played system for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .played import Played, played


@pytest.fixture(scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    async with played(tmp_path_factory.mktemp("reconcile")) as system:
        yield system
