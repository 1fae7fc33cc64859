"""The verdict of a run: each fault alone makes it fail, and nothing else does."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from bdcan_contracts.vocabulary import NEEDS
from bdcan_simulator.audit import Facts
from bdcan_simulator.borough import Borough, Door
from bdcan_simulator.ledger import BadInput, Erasure, Ledger, Moment
from bdcan_simulator.play import Ending
from bdcan_simulator.postcodes import MadeUpPostcodes
from bdcan_simulator.report import Effort, Report, make_report

NOW = datetime(2020, 3, 23, 12, tzinfo=UTC)


def line(kind: str, minute: int, **detail: object):
    return {"kind": kind, "at": f"2020-03-23T09:{minute:02d}:00+00:00", "detail": detail}


@pytest.fixture
def given():
    """Twenty requests that all went well."""
    ledger, facts = Ledger(run="r1"), Facts()
    ledger.enter(Borough(2, MadeUpPostcodes()).residents(20))
    for number, (key, submission) in enumerate(ledger.submissions.items()):
        submission.acknowledged = True
        ledger.learn(*key, f"referral-{number}")
        if submission.door is Door.TOPIC:
            for state in ("assigned", "closed"):
                ledger.told[f"referral-{number}"].hear(state)
        needs = [
            {"need_id": f"need-{number}-{n}", "code": code.value, "lane": NEEDS[code].lane, "state": "met"}
            for n, code in enumerate(submission.resident.needs)
        ]
        timeline = [line("referral.received", 0), line("referral.closed", 30, outcome="helped", needs=2)]
        facts.referrals[key] = [
            {
                "referral_id": f"referral-{number}",
                "state": "closed",
                "outcome": "helped",
                "needs": needs,
                "timeline": timeline,
            }
        ]
    facts.summaries = {
        "intake": {"without_owner_or_deadline": 0},
        "foodhub": {"stock": {"balanced": True}},
    }
    ledger.bad.append(BadInput(Door.HTTP, "an unknown need", "r1-bad-0", "HTTP 422"))
    return ledger, facts


def escalation(kind: str, state: str, *need_ids: str):
    return {"kind": kind, "state": state, "needs": [{"need_id": need_id} for need_id in need_ids]}


def judge(given: tuple[Ledger, Facts], ending: Ending = Ending.SETTLED) -> Report:
    ledger, facts = given
    effort = Effort(
        seconds=10,
        cpu_seconds=1,
        requests_by_route={"GET intake /v1/summary": 100},
        tried_again={},
        answers_4xx={},
        broken={},
    )
    return make_report(ledger, facts, seed=2, ending=ending, effort=effort, now=NOW)


def first(facts: Facts):
    """A referral that has a need."""
    return next(found[0] for found in facts.referrals.values() if found[0]["needs"])


def test_complete_run_passes(given):
    report = judge(given)
    assert report.passed
    assert report.submitted == report.acknowledged == 20
    assert report.by_state == {"closed": 20}
    assert report.by_outcome == {"helped": 20}
    assert sum(report.by_door.values()) == sum(report.by_channel.values()) == 20
    assert report.needs_by_state["met"] == sum(
        sum(lane.values()) for lane in report.needs_by_lane_and_state.values()
    )
    assert report.referrals_per_second == 2.0


def by_kafka(ledger: Ledger) -> str:
    """A referral that came by Kafka."""
    return next(s.referral_id for s in ledger.through(Door.TOPIC) if s.referral_id)


def test_end_that_its_sender_was_not_told_of_fails_the_run(given):
    ledger, _ = given
    assert judge(given).by_kafka.closed == len(ledger.through(Door.TOPIC)) > 0
    ledger.told[by_kafka(ledger)].hear("reopened")
    report = judge(given)
    assert (report.by_kafka.ends_missing, report.passed) == (1, False)


def test_end_that_its_sender_was_told_of_twice_fails_the_run(given):
    told = given[0].told[by_kafka(given[0])]
    told.hear("reopened")
    told.hear("closed")
    assert judge(given).passed
    told.hear("closed")
    report = judge(given)
    assert (report.by_kafka.ends_twice, report.passed) == (1, False)


def test_resident_who_asked_and_is_not_erased_fails_the_run(given):
    ledger, facts = given
    key = next(iter(facts.referrals))
    ledger.erasures[key] = Erasure(Moment.AT_ONCE, receipt={"state": "waiting"})
    report = judge(given)
    assert (report.erasures.asked, report.erasures.erased, report.passed) == (1, 0, False)
    rows = [{"rows": {"notes": 1}, "keeps": ["needs"]}, {"rows": {"notes": 1, "homes": 1}, "keeps": []}]
    ledger.erasures[key].receipt = {"state": "done", "answers": rows}
    report = judge(given)
    assert (report.erasures.erased, report.erasures.rows_erased, report.passed) == (
        1,
        {"homes": 1, "notes": 2},
        True,
    )


def test_submission_without_a_referral_is_lost(given):
    facts = given[1]
    key = next(iter(facts.referrals))
    del facts.referrals[key]
    report = judge(given)
    assert (report.lost, report.passed) == (1, False)
    assert key[1] in report.lost_what[0]


def test_need_that_does_not_show_up_is_lost(given):
    first(given[1])["needs"].pop()
    report = judge(given)
    assert (report.lost, report.passed) == (1, False)


def test_missing_found_need_is_lost_unless_the_resident_withdrew(given):
    ledger, facts = given
    key, submission = next(iter(ledger.submissions.items()))
    submission.found = 1
    assert judge(given).lost == 1
    facts.referrals[key][0]["outcome"] = "withdrawn"
    assert judge(given).lost == 0


@pytest.mark.parametrize("missing", ["owner", "due_at"])
def test_open_need_without_owner_or_deadline_is_named(given, missing: str):
    need = first(given[1])["needs"][0]
    need |= {"state": "in-hand", "owner": "foodhub", "due_at": "2020-03-23T11:00:00+00:00"}
    open_report = judge(given)
    assert open_report.passed
    assert open_report.open_by_owner["foodhub"].needs == open_report.open_by_owner["foodhub"].overdue == 1
    need[missing] = None
    report = judge(given)
    assert (report.without_owner_or_deadline, report.passed) == (1, False)


def test_open_referral_tells_its_story_unless_its_next_call_is_due(given):
    ledger, facts = given
    referral = first(facts)
    referral |= {"state": "assigned", "owner": "hub:heath", "due_at": "2020-03-24T09:00:00+00:00"}
    assert list(judge(given).unsettled_stories) == [referral["referral_id"]]
    ledger.waiting[referral["referral_id"]] = NOW
    assert not judge(given).unsettled_stories


def test_need_without_an_owner_in_intake_is_reported(given):
    given[1].summaries["intake"]["without_owner_or_deadline"] = 3
    assert judge(given).without_owner_or_deadline == 3


def test_two_referrals_for_one_reference_are_one_effect_twice(given):
    found = next(iter(given[1].referrals.values()))
    found.append(deepcopy(found[0]))
    report = judge(given)
    assert (report.effects_twice, report.passed) == (1, False)


@pytest.mark.parametrize(
    "extra",
    [
        [line("referral.received", 5)],
        [line("referral.closed", 31, outcome="partly-helped", needs=2)],
        [line("welfare-call.unanswered", 7, attempt=1), line("welfare-call.unanswered", 7, attempt=1)],
        [line("parcel.delivered", 8, parcel_id="p"), line("parcel.delivered", 9, parcel_id="p")],
        [line("parcel.requested", 33 + n, parcel_id="p") for n in range(5)],
        [line("task.accepted", 5, task_id="t"), line("task.accepted", 5, task_id="t")],
        [line("task.accepted", 5, task_id="t"), line("task.accepted", 6, task_id="t")],
        [
            line("task.failed", 5, task_id="t"),
            line("task.accepted", 6, task_id="t"),
            line("task.failed", 7, task_id="t"),
        ],
    ],
)
def test_event_that_happened_twice_is_named(given, extra):
    first(given[1])["timeline"] += extra
    report = judge(given)
    assert (report.effects_twice, report.passed) == (1, False)


def test_events_that_may_happen_twice_are_not_named(given):
    first(given[1])["timeline"] += [
        line("task.accepted", 5, task_id="t"),
        line("task.failed", 6, task_id="t", reason="nobody-at-home"),
        line("task.accepted", 8, task_id="t"),
        line("task.accepted", 8, task_id="u"),
        line("task.failed", 8, task_id="u"),
        line("task.accepted", 8, task_id="u"),
        line("parcel.reserved", 8, parcel_id="p"),
        line("parcel.stopped", 8, parcel_id="p"),
        line("parcel.reserved", 8, parcel_id="p"),
        line("parcel.delivered", 8, parcel_id="p"),
        line("parcel.delivered", 8, parcel_id="q"),
        line("welfare-call.unanswered", 7, attempt=1),
        line("welfare-call.unanswered", 9, attempt=2),
        line("escalation.opened", 12, escalation_id="e"),
        line("referral.reopened", 31),
        line("referral.closed", 32, outcome="partly-helped", needs=2),
        line("parcel.requested", 13, parcel_id="r"),
        line("referral.amended", 14),
        line("parcel.requested", 15, parcel_id="r"),
    ]
    given[1].escalations += [
        escalation("complex", "declined", "n"),
        escalation("complex", "closed", "n"),
        escalation("welfare-concern", "closed", "n"),
    ]
    assert judge(given).effects_twice == 0


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("parcels", [{"need_id": "n", "parcel_id": "p"}, {"need_id": "n", "parcel_id": "q"}]),
        ("tasks", [{"need_id": "n", "kind": "errand"}, {"need_id": "n", "kind": "errand"}]),
        ("tasks", [{"parcel_id": "p", "kind": "x"}, {"parcel_id": "p", "kind": "x"}]),
        ("escalations", [escalation("complex", "closed", "n", "m"), escalation("complex", "accepted", "n")]),
    ],
)
def test_need_served_twice_is_named(given, kind: str, items):
    getattr(given[1], kind).extend(items)
    assert judge(given).effects_twice == 1


def test_only_valid_parked_records_fail_the_run(given):
    letter = {"service": "intake", "topic": "t", "reason": "bad-body"}
    given[1].parked.append(letter | {"ours": True})
    report = judge(given)
    assert (report.parked, report.parked_on_purpose, report.passed) == (0, 1, True)
    given[1].parked.append(letter | {"ours": False})
    report = judge(given)
    assert (report.parked, report.parked_on_purpose, report.passed) == (1, 1, False)


def test_unanswered_bad_input_unbalanced_stock_or_open_end_fails_the_run(given):
    assert not judge(given, Ending.OUT_OF_TIME).passed
    assert not judge(given, Ending.STILL).passed
    given[0].bad[0].answer = None
    assert not judge(given).passed
    given[0].bad[0].answer = "HTTP 422"
    given[1].summaries["foodhub"]["stock"]["balanced"] = False
    assert not judge(given).passed


def test_catching_up_in_one_instant_is_not_an_effect_twice(given):
    told = [
        line("parcel.dispatched", 20, parcel_id="p", task_id="t"),
        line("parcel.returned", 20, parcel_id="p", reason="nobody-at-home"),
        line("parcel.dispatched", 20, parcel_id="p", task_id="t"),
        line("parcel.returned", 20, parcel_id="p", reason="nobody-at-home"),
        line("parcel.dispatched", 20, parcel_id="p", task_id="t"),
        line("parcel.delivered", 20, parcel_id="p"),
    ]
    first(given[1])["timeline"] += told
    assert judge(given).passed
    first(given[1])["timeline"] += [line("parcel.dispatched", 25, parcel_id="p", task_id="t")]
    assert [what.split(": ")[1] for what in judge(given).effects_twice_what] == [
        "parcel.dispatched twice in the timeline"
    ]


def test_parcel_returned_more_often_than_dispatched_is_named(given):
    first(given[1])["timeline"] += [
        line("parcel.dispatched", 20, parcel_id="p", task_id="t"),
        line("parcel.returned", 21, parcel_id="p", reason="nobody-at-home"),
        line("parcel.returned", 22, parcel_id="p", reason="nobody-at-home"),
    ]
    assert [what.split(": ")[1] for what in judge(given).effects_twice_what] == [
        "parcel.returned twice in the timeline"
    ]
