"""The six scenes: each is told from what the system says, or said not to have occurred."""

from __future__ import annotations

from typing import Any

import pytest

from bdcan_simulator.audit import Facts
from bdcan_simulator.borough import Borough, Door
from bdcan_simulator.ledger import Erasure, Ledger, Moment
from bdcan_simulator.postcodes import MadeUpPostcodes
from bdcan_simulator.scenes import NOT_THIS_TIME, tell_scenes

ALLERGY, CHECK, GIVE_BACK, UNDO, ROW, ERASURE = (
    "A changed allergy", "A lapsed check", "A give-back by the council", "An undo", "A repeated row", "An erasure",
)  # fmt: skip


class Day:
    """A ledger and facts, to which a test adds what happened to one referral."""

    def __init__(self) -> None:
        self.ledger, self.facts = Ledger(run="r1"), Facts()
        self.ledger.enter(Borough(2, MadeUpPostcodes()).residents(60))
        self.key = next(key for key, s in self.ledger.submissions.items() if s.door is Door.CSV)
        self.referral: dict[str, Any] = {
            "referral_id": "r-1",
            "state": "assigned",
            "needs": [],
            "timeline": [],
        }
        self.facts.referrals[self.key] = [self.referral]

    def happens(self, kind: str, **detail: str) -> None:
        self.referral["timeline"].append({"kind": kind, "at": "2020-03-23T09:00:00Z", "detail": detail})

    def tell(self, scene: str) -> str:
        return tell_scenes(self.ledger, self.facts)[scene]


@pytest.fixture
def day() -> Day:
    return Day()


def test_a_scene_that_did_not_occur_is_said_not_to_have_occurred(day: Day) -> None:
    day.happens("referral.amended")
    day.happens("task.failed", task_id="t-1", reason="nobody-at-home")
    day.happens("welfare-call.reopened", reason="not-reached")
    assert set(tell_scenes(day.ledger, day.facts).values()) == {NOT_THIS_TIME}
    assert tell_scenes(day.ledger, day.facts).keys() == {ALLERGY, CHECK, GIVE_BACK, UNDO, ROW, ERASURE}


def test_what_followed_a_changed_allergy_is_counted(day: Day) -> None:
    day.ledger.allergies.add("r-1")
    day.happens("parcel.requested", parcel_id="p-1")
    day.happens("parcel.stopped", parcel_id="p-0")
    day.happens("referral.amended")
    day.happens("parcel.requested", parcel_id="p-1")
    day.happens("parcel.requested", parcel_id="p-2")
    day.happens("parcel.stopped", parcel_id="p-1")
    told = day.tell(ALLERGY)
    assert "1 resident rang" in told
    assert told.endswith("1 filled anew, 1 filled for the first time, 1 stopped until a person had looked.")


def test_an_allergy_that_intake_does_not_show_is_not_told(day: Day) -> None:
    day.ledger.allergies.add("r-1")
    assert day.tell(ALLERGY) == NOT_THIS_TIME


def test_tasks_lost_with_a_check_are_told_with_their_states(day: Day) -> None:
    day.happens("task.failed", task_id="t-1", reason="check-missing")
    day.happens("task.offer-withdrawn", task_id="t-2", reason="check-missing")
    day.happens("task.offer-withdrawn", task_id="t-1", reason="check-missing")
    day.facts.tasks = [{"task_id": "t-1", "state": "done"}, {"task_id": "t-2", "state": "offered"}]
    assert "had 2 tasks" in day.tell(CHECK)
    assert day.tell(CHECK).endswith("by now: 1 done, 1 offered.")


def test_needs_given_back_are_told_with_their_states(day: Day) -> None:
    day.referral["needs"] = [{"need_id": "n-1", "state": "met"}, {"need_id": "n-2", "state": "referred-on"}]
    day.facts.escalations = [
        {"state": "declined", "needs": [{"need_id": "n-1"}]},
        {"state": "closed", "outcome": "not-reached", "needs": [{"need_id": "n-1"}]},
        {"state": "closed", "outcome": "helped", "needs": [{"need_id": "n-2"}]},
    ]
    told = day.tell(GIVE_BACK)
    assert "2 cases back without help (1 declined, 1 not-reached)" in told
    assert told.endswith("had their 1 need again, and asked the residents; by now: 1 met.")


@pytest.mark.parametrize("answered", [True, False])
def test_an_undo_is_told_with_the_call_that_followed(day: Day, answered: bool) -> None:
    day.happens("welfare-call.unanswered", outcome="no-answer")
    day.happens("welfare-call.reopened", reason="outcome-undone")
    if answered:
        day.happens("welfare-call.completed")
    assert "Callers reported 1 call as unanswered by a slip" in day.tell(UNDO)
    assert f"{int(answered)} of them were spoken to" in day.tell(UNDO)


@pytest.mark.parametrize(("copies", "second"), [(1, 0), (2, 1)])
def test_a_repeated_row_is_told_with_what_it_repeats(day: Day, copies: int, second: int) -> None:
    source, reference = day.key
    rows = [
        {"line": 4, "reference": reference, "referral_id": "r-1", "state": "closed", "open": False},
        {"line": 5, "reference": "somebody else's", "referral_id": "r-9", "state": "closed", "open": False},
    ]
    day.facts.imports = [{"source": source, "duplicate_rows": rows}]
    day.facts.referrals[day.key] = [day.referral] * copies
    assert "Lists repeated 1 row." in day.tell(ROW)
    assert "line 4: r-1, closed" in day.tell(ROW)
    assert day.tell(ROW).endswith(f"{second} led to a second referral.")


def test_what_an_erasure_took_and_left_is_counted(day: Day) -> None:
    asked = Erasure(Moment.RUNG, "r-1", 7)
    day.ledger.erasures[day.key] = asked
    assert day.tell(ERASURE) == NOT_THIS_TIME
    asked.receipt = {
        "state": "done",
        "answers": [
            {"rows": {"residents": 1, "notes": 2}, "keeps": ["needs"]},
            {"rows": {"homes": 1}, "keeps": ["case-numbers"]},
        ],
    }
    assert day.tell(ERASURE) == (
        "1 resident asked what is held about them, were shown 7 rows, and asked to be erased (1 after a call). "
        "The five services deleted or emptied 4 rows (homes, notes, residents). "
        "What stays are codes, ids and times: they say no more who it was about."
    )
