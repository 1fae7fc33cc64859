"""The books of a run: what counts as progress."""

from __future__ import annotations

import pytest

from bdcan_contracts.inbound.references import hashed
from bdcan_simulator.borough import Borough
from bdcan_simulator.ledger import Ledger, is_bad_on_purpose
from bdcan_simulator.postcodes import MadeUpPostcodes


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(run="r1")
    ledger.enter(Borough(11, MadeUpPostcodes()).residents(3))
    return ledger


def test_a_referral_that_is_acknowledged_is_progress(ledger: Ledger) -> None:
    before = ledger.progress()
    next(iter(ledger.submissions.values())).acknowledged = True
    assert ledger.progress() > before


@pytest.mark.parametrize("done", ["tasks completion", "parcels packed"])
def test_work_that_is_done_is_progress(ledger: Ledger, done: str) -> None:
    before = ledger.progress()
    ledger.done[done] += 1
    assert ledger.progress() > before


def test_attempts_that_can_go_on_for_ever_are_no_progress(ledger: Ledger) -> None:
    before = ledger.progress()
    ledger.done.update({"tasks acceptance too late": 5, "calls no-answer": 5, "stock deliveries refused": 5})
    assert ledger.progress() == before


def test_bad_input_of_an_earlier_run_is_known_by_its_reference() -> None:
    assert is_bad_on_purpose("r6b03680f7a19-bad-1")
    assert is_bad_on_purpose("r6b03680f7a19-bad-riverside-surgery-2")
    assert not is_bad_on_purpose("r6b03680f7a19-17")
    assert not is_bad_on_purpose("")


def test_submission_is_found_by_the_hash_of_its_reference_and_by_its_referral(ledger: Ledger) -> None:
    (source, reference), submission = next(iter(ledger.submissions.items()))
    assert ledger.key_of(source, hashed(source, reference)) == (source, reference)
    assert ledger.key_of(source, None, "r-1") is None
    assert ledger.learn(source, hashed(source, reference), "r-1") is submission
    assert ledger.key_of(source, None, "r-1") == (source, reference)
