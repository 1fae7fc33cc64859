"""By when each step must be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bdcan_contracts.models import EscalationKind
from bdcan_escalation.domain import promises

MONDAY = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days_later", "wanted"),
    [(0, 1), (3, 4), (4, 7), (5, 7), (6, 7)],  # Mon→Tue, Thu→Fri, Fri→Mon, Sat→Mon, Sun→Mon
)
def test_weekends_are_not_working_days(days_later: int, wanted: int):
    start = MONDAY + timedelta(days=days_later)
    assert promises.working_days_after(start, 1) == MONDAY + timedelta(days=wanted)


def test_safeguarding_is_due_in_an_hour():
    saturday = MONDAY + timedelta(days=5)
    assert promises.acknowledge_by(EscalationKind.SAFEGUARDING, saturday) == saturday + timedelta(hours=1)
    assert promises.forward_by(EscalationKind.SAFEGUARDING, saturday) == saturday + timedelta(minutes=15)


def test_complex_need_is_due_in_a_working_day():
    assert promises.acknowledge_by(EscalationKind.COMPLEX, MONDAY) == MONDAY + timedelta(days=1)


def test_decision_is_due_five_working_days_after_acknowledgement():
    assert promises.decide_by(MONDAY) == MONDAY + timedelta(days=7)
