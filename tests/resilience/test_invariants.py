"""Each invariant holds for a sound history, and fails for a doctored one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bdcan_chassis.dispatch import position_key
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import consumed_types
from bdcan_foodhub.domain.contents import contents
from bdcan_local.processes import SERVICES
from bdcan_reconcile.rows import Need, Stores, Unsent

from .evidence import QUERIES, Evidence, Record, Sent
from .invariants import INVARIANTS, judge
from .scan import Trace

NOW = datetime(2020, 3, 23, 18, tzinfo=UTC)
FED, ADVISED, NEED_OF_FED, PARCEL, CASE, CALL = (uuid4() for _ in range(6))


IN_PARCEL = {line.item_id: line.quantity for line in contents("food-parcel", None, ())}
RECEIPT = uuid4()


def happened() -> list[Record]:
    """Ten events about two residents: one gets a parcel, one goes to Community Solutions."""
    story: list[tuple[str, str, UUID, UUID]] = [
        ("bdcan.intake.referrals.v1", "bdcan.intake.referral.received.v1", FED, FED),
        ("bdcan.intake.referrals.v1", "bdcan.intake.referral.received.v1", ADVISED, ADVISED),
        ("bdcan.foodhub.parcels.v1", "bdcan.foodhub.parcel.requested.v1", PARCEL, FED),
        ("bdcan.foodhub.parcels.v1", "bdcan.foodhub.parcel.packed.v1", PARCEL, FED),
        ("bdcan.foodhub.parcels.v1", "bdcan.foodhub.parcel.delivered.v1", PARCEL, FED),
        ("bdcan.escalation.escalations.v1", "bdcan.escalation.escalation.opened.v1", CASE, ADVISED),
        ("bdcan.escalation.escalations.v1", "bdcan.escalation.escalation.closed.v1", CASE, ADVISED),
        ("bdcan.intake.referrals.v1", "bdcan.intake.referral.closed.v1", FED, FED),
        ("bdcan.intake.referrals.v1", "bdcan.intake.referral.closed.v1", ADVISED, ADVISED),
    ]
    return [
        Record(
            topic,
            0,
            offset,
            str(thing).encode(),
            b"digest",
            type_name,
            uuid4(),
            NOW - timedelta(hours=9 - offset),
            referral_id,
        )
        for offset, (topic, type_name, thing, referral_id) in enumerate(story)
    ]


def sound() -> Evidence:
    records = happened()
    rows: dict[tuple[str, str], list[Any]] = {query: [] for query in QUERIES}
    for service in SERVICES:
        reads = {(topic.name, name) for topic, name in consumed_types(CATALOGUE, service)}
        rows[service, "inbox"] = [
            {"consumer": "main", "event_key": r.key, "received_at": r.time, "committed_at": r.time}
            for r in records
            if (r.topic, r.type) in reads
        ]
    for referral_id, reference in ((FED, "1"), (ADVISED, "2")):
        rows["intake", "referral"].append(
            {
                "id": referral_id,
                "source": "phone",
                "reference": reference,
                "state": "closed",
                "withdrawn_reason": None,
                "previous_referral_id": None,
            }
        )
        rows["volunteer-match", "attempt"].append(
            {"call_id": CALL, "attempt": 1, "referral_id": referral_id, "outcome": "answered"}
        )
    rows["intake", "timeline"] = [
        {
            "referral_id": r.referral_id,
            "event_key": r.key,
            "at": r.time,
            "kind": str(r.type).split(".", 2)[2].removesuffix(".v1"),
        }
        for r in records
    ]
    rows["volunteer-match", "task"].append(
        {
            "task_id": uuid4(),
            "referral_id": FED,
            "need_id": NEED_OF_FED,
            "parcel_id": PARCEL,
            "kind": "parcel-delivery",
            "state": "done",
            "unfilled": False,
        }
    )
    rows["foodhub", "parcel"].append(
        {
            "parcel_id": PARCEL,
            "referral_id": FED,
            "need_id": NEED_OF_FED,
            "site_id": "central",
            "state": "delivered",
            "code": "food-parcel",
            "lines": [{"item_id": item, "quantity": quantity} for item, quantity in IN_PARCEL.items()],
            "top_up": [],
            "back_order": [],
            "sent": [],
            "departure": {"household": None, "diets": [], "kept": False},
        }
    )
    rows["foodhub", "stock"] = [
        {
            "site_id": "central",
            "item_id": item,
            "received": 20_000,
            "issued": quantity,
            "wasted": 0,
            "on_hand": 20_000 - quantity,
            "reserved": 0,
        }
        for item, quantity in IN_PARCEL.items()
    ]
    rows["foodhub", "movement"] = [
        {"site_id": "central", "item_id": item, "kind": kind, "quantity": moved, "cause": cause}
        for item, quantity in IN_PARCEL.items()
        for kind, moved, cause in (("received", 20_000, RECEIPT), ("issued", quantity, PARCEL))
    ]
    rows["escalation", "call_back"].append({"event_id": "e1", "escalation_id": CASE, "said": "closed"})
    return Evidence(
        now=NOW,
        sent=Sent(
            references=frozenset({("phone", "1"), ("phone", "2")}),
            bad_references=frozenset({"bad-1"}),
            done=Counter(
                {"calls answered": 2, "tasks completion": 1, "parcels packed": 1, "stock deliveries": 1}
            ),
        ),
        verdict=(),
        rows=rows,
        records=records,
        stores=Stores(NOW),
    )


Rows = dict[tuple[str, str], list[Any]]
Doctor = Callable[[Rows], Any]


def again(service: str, query: str, **changed: Any) -> Doctor:
    """The first row once more, with another value here and there."""
    return lambda rows: rows[service, query].append(rows[service, query][0] | changed)


def without(service: str, query: str) -> Doctor:
    return lambda rows: rows[service, query].pop()


def changed(service: str, query: str, **values: Any) -> Doctor:
    return lambda rows: rows[service, query][0].update(values)


def added(service: str, query: str, **row: Any) -> Doctor:
    return lambda rows: rows[service, query].append(row)


DOCTORED: list[tuple[str, Doctor]] = [
    ("each input has exactly one referral", without("intake", "referral")),
    ("each input has exactly one referral", again("intake", "referral", id=uuid4())),
    (
        "each input has exactly one referral",
        again("intake", "referral", id=uuid4(), previous_referral_id=uuid4()),
    ),
    ("each input has exactly one referral", again("intake", "referral", reference="nobody's")),
    ("each input has exactly one referral", changed("intake", "referral", previous_referral_id=uuid4())),
    ("no call-back counts twice", again("escalation", "call_back", event_id="e2")),
    (
        "stock received = on hand + reserved + issued + wasted",
        changed("foodhub", "stock", on_hand=13),
    ),
    ("stock received = on hand + reserved + issued + wasted", changed("foodhub", "stock", reserved=2)),
    ("stock received = on hand + reserved + issued + wasted", again("foodhub", "movement")),
    ("what leaves the door fits what was known", changed("foodhub", "parcel", departure=None)),
    (
        "what leaves the door fits what was known",
        changed(
            "foodhub",
            "parcel",
            departure={"household": None, "diets": ["seafood-allergy"], "kept": False},
        ),
    ),
    (
        "what leaves the door fits what was known",
        changed("foodhub", "parcel", departure={"household": {"adults": 6}, "diets": [], "kept": False}),
    ),
    ("timelines are complete", without("intake", "timeline")),
    ("timelines are complete", again("intake", "timeline", event_key=uuid4())),
    ("timelines are in order", changed("intake", "timeline", at=NOW)),
    ("outboxes are empty", added("foodhub", "outbox", traffic_class="normal", seq=1, topic="t", id=uuid4())),
    (
        "no deadline is overdue",
        added(
            "escalation",
            "deadline",
            kind="acknowledge",
            subject=CASE,
            due_at=NOW - timedelta(hours=1),
            failures=0,
            last_error=None,
        ),
    ),
    (
        "no deadline is overdue",
        added(
            "routing", "deadline", kind="triage", subject=FED, due_at=NOW, failures=1, last_error="KeyError"
        ),
    ),
    ("inboxes hold what the topics hold", without("routing", "inbox")),
    (
        "inboxes hold what the topics hold",
        added("routing", "inbox", consumer="referrals", event_key=uuid4()),
    ),
    (
        "nothing valid is parked",
        added(
            "intake",
            "dead_letter",
            consumer="help",
            topic="bdcan.foodhub.parcels.v1",
            record_partition=0,
            record_offset=99,
            record_key=str(PARCEL).encode(),
            state="parked",
            reason="handler-failed",
            error="KeyError",
        ),
    ),
    ("nothing valid is parked", added("intake", "parked_key", consumer="help", topic="t", record_key=b"k")),
    ("what was answered is on disk", without("volunteer-match", "attempt")),
    ("what was answered is on disk", again("foodhub", "movement", cause=uuid4())),
    ("what was answered is on disk", added("volunteer-match", "concern", concern_id=uuid4(), task_id=FED)),
]


def broken(evidence: Evidence) -> set[str]:
    return {name for name, offences in judge(evidence).items() if offences}


def test_sound_history_keeps_every_invariant() -> None:
    assert {name: offences for name, offences in judge(sound()).items() if offences} == {}


@pytest.mark.parametrize(("invariant", "doctor"), DOCTORED, ids=lambda it: it if isinstance(it, str) else "")
def test_doctored_rows_break_their_invariant(invariant: str, doctor: Doctor) -> None:
    evidence = sound()
    rows: Rows = deepcopy(dict(evidence.rows))
    doctor(rows)
    assert invariant in broken(replace(evidence, rows=rows))


def test_event_resent_with_another_body_is_found() -> None:
    evidence = sound()
    same = replace(evidence.records[-1], offset=99)
    assert not broken(replace(evidence, records=[*evidence.records, same]))
    other = replace(same, digest=b"another")
    assert broken(replace(evidence, records=[*evidence.records, other])) == {"an event is one event"}


def test_history_of_somebody_who_was_erased_has_no_details_and_no_trace() -> None:
    name = "nobody who was erased has left a trace"
    evidence = sound()
    rows: Rows = deepcopy(dict(evidence.rows))
    for row in rows["intake", "referral"]:
        row["reference"] = None if row["id"] == FED else row["reference"]
    rows["intake", "timeline"] = [t for t in rows["intake", "timeline"] if t["referral_id"] != FED]
    rows["foodhub", "parcel"][0]["departure"] = None
    sent = replace(evidence.sent, erased={FED: ("phone", "1")})
    erased = replace(evidence, sent=sent, rows=rows)
    assert broken(erased) == set()
    assert broken(replace(erased, rows=evidence.rows)) >= {"timelines are complete"}
    known = {**rows, ("intake", "person"): [{"referral_id": FED}]}
    need = Need(FED, NEED_OF_FED, "food-parcel", "food", "in-hand", None, "foodhub", NOW)
    assert broken(replace(erased, rows=known)) == {name}
    assert name in broken(replace(erased, stores=Stores(NOW, needs=[need])))
    assert broken(replace(erased, unerased=("phone 1: asked to be erased at once, and is not",))) == {name}
    for place, value, breaks in (
        ("topic bdcan.intake.inbound-referrals.v1: body", "Zebedee", False),
        ("topic bdcan.intake.inbound-receipts.v1: key", "r6b09f4f8-000537", False),
        ("topic bdcan.intake.inbound-receipts.v1: body", "Zebedee", True),
        ("intake: table public.note.text", "Zebedee", True),
    ):
        assert broken(replace(erased, traces=(Trace(place, value),))) == ({name} if breaks else set())


def test_allergy_that_foodhub_had_heard_must_count() -> None:
    evidence = sound()
    amended = Record(
        "bdcan.intake.referrals.v1",
        0,
        50,
        str(FED).encode(),
        b"amended",
        "bdcan.intake.referral.amended.v1",
        uuid4(),
        NOW,
        FED,
        diets=("seafood-allergy",),
    )
    accepted = replace(
        amended,
        topic="bdcan.volunteer-match.tasks.v1",
        type="bdcan.volunteer-match.task.accepted.v1",
        key=uuid4(),
        parcel_id=PARCEL,
        diets=(),
    )
    name = "what leaves the door fits what was known"
    for began, committed, breaks in ((-5, -4, True), (-5, 1, False), (5, 5, False)):
        rows: Rows = deepcopy(dict(evidence.rows))
        for record, start, end in ((amended, began, committed), (accepted, 0, 0)):
            rows["foodhub", "inbox"].append(
                {
                    "consumer": "main",
                    "event_key": record.key,
                    "received_at": NOW + timedelta(minutes=start),
                    "committed_at": NOW + timedelta(minutes=end),
                }
            )
        seen = replace(evidence, rows=rows, records=[*evidence.records, amended, accepted])
        assert (name in broken(seen)) is breaks


def test_a_record_of_an_outsider_is_taken_by_its_place_and_answered_once() -> None:
    evidence = sound()
    place = ("bdcan.intake.inbound-referrals.v1", 2, 5)
    unreadable = Record(*place, b"surgery:bad-1", b"digest", timestamp=1_585_000_000_000)
    receipt = Record(
        "bdcan.intake.inbound-receipts.v1", 0, 0, b"surgery:bad-1", b"digest", key=uuid4(), answers=place
    )
    rows: Rows = deepcopy(dict(evidence.rows))
    taken = {
        "consumer": "inbound",
        "event_key": position_key(*place, unreadable.timestamp),
        "received_at": NOW,
        "committed_at": NOW,
    }
    rows["intake", "inbox"].append(taken)
    never_taken = replace(evidence, records=[*evidence.records, unreadable, receipt])
    assert broken(never_taken) == {"inboxes hold what the topics hold"}
    answered = replace(never_taken, rows=rows)
    assert not broken(answered)
    sent_again = replace(answered, records=[*answered.records, replace(receipt, offset=1)])
    assert not broken(sent_again)
    for receipts in ([], [receipt, replace(receipt, offset=1, key=uuid4())]):
        seen = replace(answered, records=[*evidence.records, unreadable, *receipts])
        assert broken(seen) == {"each record of an outsider has one receipt"}


def test_what_reconcile_names_fails_the_run() -> None:
    evidence = sound()
    stores = Stores(NOW, unsent=[Unsent("routing", "a topic", 3, 90.0)])
    assert broken(replace(evidence, stores=stores)) == {"nobody falls through a gap"}


def test_failed_verdict_or_missing_process_fails_the_run() -> None:
    evidence = sound()
    assert broken(replace(evidence, verdict=("lost",))) == {"the simulator's own report passes"}
    for wrong in ({"absent": ("kafka is not ready",)}, {"unclean": ("SIGTERM: council ended with 1",)}):
        assert broken(replace(evidence, **wrong)) == {"processes stop cleanly and come back"}


def test_every_invariant_has_a_test() -> None:
    by_hand = {
        "an event is one event",
        "each record of an outsider has one receipt",
        "nobody falls through a gap",
        "nobody who was erased has left a trace",
        "the simulator's own report passes",
        "processes stop cleanly and come back",
    }
    assert {name for name, _ in DOCTORED} | by_hand == set(INVARIANTS)
