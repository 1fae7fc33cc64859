"""By when each step must have happened."""

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
def test_given_a_day_when_one_working_day_passes_then_weekends_do_not_count(days_later: int, wanted: int):
    start = MONDAY + timedelta(days=days_later)
    assert promises.working_days_after(start, 1) == MONDAY + timedelta(days=wanted)


def test_given_safeguarding_when_it_is_opened_then_an_hour_is_all_there_is():
    saturday = MONDAY + timedelta(days=5)
    assert promises.acknowledge_by(EscalationKind.SAFEGUARDING, saturday) == saturday + timedelta(hours=1)
    assert promises.forward_by(EscalationKind.SAFEGUARDING, saturday) == saturday + timedelta(minutes=15)


def test_given_a_complex_need_when_it_is_opened_then_a_working_day_is_given():
    assert promises.acknowledge_by(EscalationKind.COMPLEX, MONDAY) == MONDAY + timedelta(days=1)


def test_given_an_acknowledgement_when_a_decision_is_due_then_five_working_days_are_given():
    assert promises.decide_by(MONDAY) == MONDAY + timedelta(days=7)
