"""The referrals with which reconcile's time is measured are sound, but for the tasks that are lost on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scale import measure


@pytest.mark.timeout(400)
async def test_measured_referrals_lack_only_the_tasks_that_are_lost_on_purpose(tmp_path: Path) -> None:
    verdict = await measure(tmp_path, 20_009)
    assert (dict(verdict.by_kind), verdict.open_doubts) == ({"nobody-has-it": 3}, ())
    assert verdict.counts["referrals"] == 20_009
