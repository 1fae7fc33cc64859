"""By when each step must be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bdcan_chassis.calendar import make_calendar
from bdcan_contracts.models import EscalationKind
from bdcan_escalation.domain import promises

MONDAY = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)
CHRISTMAS_EVE = datetime(2020, 12, 24, 16, 0, tzinfo=UTC)
ENGLAND = make_calendar()
COMPLEX = EscalationKind.COMPLEX


@pytest.mark.parametrize("kind", set(EscalationKind) - {EscalationKind.SAFEGUARDING})
def test_acknowledgement_waits_until_the_office_opens_again(kind: EscalationKind):
    assert promises.acknowledge_by(kind, MONDAY, ENGLAND) == MONDAY + timedelta(days=1)
    assert promises.acknowledge_by(kind, CHRISTMAS_EVE, ENGLAND) == CHRISTMAS_EVE + timedelta(days=5)


@pytest.mark.parametrize("at", [MONDAY + timedelta(days=5), CHRISTMAS_EVE])
def test_safeguarding_runs_in_real_time(at: datetime):
    kind = EscalationKind.SAFEGUARDING
    assert promises.acknowledge_by(kind, at, ENGLAND) == at + timedelta(hours=1)
    assert promises.forward_by(kind, at) == at + timedelta(minutes=15)
    assert promises.next_look(kind, at, ENGLAND) == at + timedelta(minutes=30)


def test_decision_is_due_five_working_days_after_acknowledgement():
    easter = datetime(2020, 4, 8, 9, 0, tzinfo=UTC)  # Good Friday and Easter Monday follow
    assert promises.decide_by(easter, ENGLAND) == easter + timedelta(days=9)


def test_case_is_closed_twenty_working_days_after_acceptance():
    assert promises.close_by(CHRISTMAS_EVE, ENGLAND) == datetime(2021, 1, 26, 16, 0, tzinfo=UTC)


def test_sending_a_case_runs_in_real_time():
    assert promises.forward_by(COMPLEX, CHRISTMAS_EVE) == CHRISTMAS_EVE + timedelta(hours=4)


def test_late_step_is_looked_at_again_when_the_office_is_open():
    assert promises.next_look(COMPLEX, CHRISTMAS_EVE, ENGLAND) == CHRISTMAS_EVE + timedelta(days=5)
