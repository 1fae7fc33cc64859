"""The report of a run: what was sent, against what the system says became of it. Pure arithmetic on facts.

`passed` is the verdict, and the exit code: nothing lost, nobody without an owner or a deadline, no effect twice,
nothing valid parked, the books of the stock in balance, and the play came to its own end.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field

from bdcan_simulator.audit import Details, Facts
from bdcan_simulator.borough import Door
from bdcan_simulator.ledger import Ledger, Submission
from bdcan_simulator.play import Ending
from bdcan_simulator.scenes import GIVEN_BACK, tell_scenes
from bdcan_simulator.story import tell

FINAL = frozenset({"met", "unmet", "referred-on", "withdrawn"})
"""States in which a need stays."""

_ONCE = {
    "referral.received": None,
    "referral.withdrawn": None,
    "safeguarding-concern.raised": None,
    "task.opened": "task_id",
    "task.completed": "task_id",
    "parcel.delivered": "parcel_id",
    "escalation.opened": "escalation_id",
    "escalation.acknowledged": "escalation_id",
    "escalation.accepted": "escalation_id",
    "escalation.closed": "escalation_id",
}
"""What happens once to a referral or one of its needs, or once to the thing that this detail names."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_ASKED = "parcel.requested"
_CHANGES = {"referral.amended", "referral.reassigned", "welfare-call.completed"}
"""After each of these, a parcel may be asked for again: its contents or its time changed."""

_THERE_AND_BACK = (
    ("parcel.dispatched", "parcel.returned", "parcel_id"),
    ("task.accepted", "task.failed", "task_id"),
    ("referral.closed", "referral.reopened", None),
)
"""A thing, by the detail that names it, goes there as often as it came back, and once more.

All of it may have one time: where a clock waits for the last change of a row, or a service catches up with events that crossed.
"""

_COUNTED = {kind for there, back, _ in _THERE_AND_BACK for kind in (there, back)}

_THINGS = ("task_id", "parcel_id", "escalation_id")
"""The detail that names what a line is about."""


class Refused(BaseModel):
    """Bad input that was sent on purpose, and what the system answered; None: nothing, which is a fault."""

    door: str
    what: str
    answer: str | None


class SentTwice(BaseModel):
    """Submissions sent a second time on purpose, and how many were recognised."""

    sent: int
    recognised: int


class ByKafka(BaseModel):
    """Referrals of upstream systems that read receipts: each has its receipt, and each closed one the receipt of its end."""

    referrals: int
    with_receipt: int
    progressed: int = Field(description="receipts that told how a referral goes on")
    closed: int
    ends_missing: int = Field(description="closed referrals whose sender was not told so")
    ends_twice: int = Field(description="referrals whose sender was told of one end twice")


class Erasures(BaseModel):
    """Residents who asked to be erased: each is, by all five services. Rows by kind, as the receipts count them."""

    asked: int
    erased: int
    by_moment: dict[str, int]
    rows_shown: int = Field(description="rows that the exports before showed to them")
    rows_erased: dict[str, int]
    kept: list[str] = Field(description="codes of what stays without the person")


class OpenNeeds(BaseModel):
    """Needs that are still open with one owner: how many, and when the first is due (domain time)."""

    needs: int
    overdue: int
    next_due_at: datetime | None


class Report(BaseModel):
    """What became of every request for help."""

    passed: bool = False
    ending: Ending
    seed: int
    seconds: float = Field(description="real seconds from the first submission to the end of the play")
    submitted: int = Field(description="valid submissions that were handed in, each counted once")
    acknowledged: int = Field(description="of these, those whose door said that it has them")
    by_door: dict[str, int]
    by_channel: dict[str, int]
    by_state: dict[str, int]
    by_outcome: dict[str, int]
    needs_by_state: dict[str, int]
    needs_by_lane_and_state: dict[str, dict[str, int]]
    open_by_owner: dict[str, OpenNeeds]
    unsettled_stories: dict[str, list[str]] = Field(
        description="the timelines of the first ten that are open although nobody waits for their next call"
    )
    lost: int = Field(description="submissions without a referral, and needs that do not show up")
    lost_what: list[str] = Field(description="the first hundred of them")
    without_owner_or_deadline: int
    effects_twice: int
    effects_twice_what: list[str] = Field(description="the first hundred of them")
    effects_twice_stories: dict[str, list[str]] = Field(description="the timelines of the first ten of them")
    parked: int = Field(description="records that were set aside although nobody meant them to be bad")
    parked_what: list[str] = Field(description="the first hundred of them")
    parked_on_purpose: int
    refused: list[Refused]
    sent_twice: dict[str, SentTwice]
    by_kafka: ByKafka
    erasures: Erasures
    stock_balanced: bool
    referrals_per_second: float
    requests: int
    requests_by_route: dict[str, int]
    simulator_cpu_seconds: float = Field(description="CPU time of the simulator itself, the audit included")
    requests_tried_again: dict[str, int]
    answers_4xx: dict[str, int]
    broken: dict[str, int] = Field(description="routes that answered 500 again and again")
    people_did: dict[str, int] = Field(description="what the residents, volunteers and staff did")
    scenes: dict[str, str] = Field(description="six scenes, and what the system did about each")


class Effort(BaseModel):
    """What the run cost."""

    seconds: float
    cpu_seconds: float
    requests_by_route: dict[str, int]
    tried_again: dict[str, int]
    answers_4xx: dict[str, int]
    broken: dict[str, int]


def make_report(
    ledger: Ledger, facts: Facts, *, seed: int, ending: Ending, effort: Effort, now: datetime
) -> Report:
    """Judge a run. `now` is domain time: what is due before it is overdue."""
    referrals = [r for found in facts.referrals.values() for r in found]
    needs = [(need, referral) for referral in referrals for need in referral["needs"]]
    by_lane: dict[str, Counter[str]] = defaultdict(Counter)
    for need, _ in needs:
        by_lane[need["lane"]][need["state"]] += 1
    sent = list(ledger.submissions.values())
    lost = [*_lost_referrals(sent, facts), *_lost_needs(ledger, facts)]
    twice = list(_twice(facts))
    parked = [p for p in facts.parked if not p["ours"]]
    report = Report(
        ending=ending,
        seed=seed,
        seconds=round(effort.seconds, 1),
        submitted=len(sent),
        acknowledged=ledger.acknowledged,
        by_door=_count(s.door for s in sent),
        by_channel=_count(s.resident.channel for s in sent),
        by_state=_count(r["state"] for r in referrals),
        by_outcome=_count(r["outcome"] for r in referrals if r.get("outcome")),
        needs_by_state=_count(need["state"] for need, _ in needs),
        needs_by_lane_and_state={lane: dict(states) for lane, states in sorted(by_lane.items())},
        open_by_owner=_open_by_owner([need for need, _ in needs], now),
        unsettled_stories=_stories(
            r
            for r in referrals
            if r["state"] != "closed" and ledger.waiting.get(r["referral_id"], _LONG_AGO) < now
        ),
        lost=len(lost),
        lost_what=lost[:100],
        without_owner_or_deadline=max(
            sum(_is_nobodys(need, FINAL) for need, _ in needs)
            + sum(_is_nobodys(referral, {"closed"}) for referral in referrals),
            int(facts.summaries.get("intake", {}).get("without_owner_or_deadline", 0)),
        ),
        effects_twice=len(twice),
        effects_twice_what=twice[:100],
        effects_twice_stories=_stories(r for r in referrals if any(_twice_in_timeline(r["timeline"]))),
        parked=len(parked),
        parked_what=[f"{p['service']} {p['topic']}: {p['reason']}" for p in parked[:100]],
        parked_on_purpose=len(facts.parked) - len(parked),
        refused=[Refused(door=b.door, what=b.what, answer=b.answer) for b in ledger.bad],
        sent_twice={
            door: SentTwice(sent=count, recognised=ledger.recognised[door])
            for door, count in sorted(ledger.sent_twice.items())
        },
        by_kafka=_by_kafka(ledger, facts),
        erasures=_erasures(ledger),
        stock_balanced=facts.summaries.get("foodhub", {}).get("stock", {}).get("balanced", False),
        referrals_per_second=round(len(referrals) / effort.seconds, 1) if effort.seconds else 0.0,
        requests=sum(effort.requests_by_route.values()),
        requests_by_route=effort.requests_by_route,
        simulator_cpu_seconds=round(effort.cpu_seconds, 2),
        requests_tried_again=effort.tried_again,
        answers_4xx=effort.answers_4xx,
        broken=effort.broken,
        people_did=dict(sorted(ledger.done.items())),
        scenes=tell_scenes(ledger, facts),
    )
    report.passed = (
        report.lost == 0
        and report.without_owner_or_deadline == 0
        and report.effects_twice == 0
        and report.parked == 0
        and report.by_kafka.ends_missing == 0
        and report.by_kafka.ends_twice == 0
        and report.erasures.erased == report.erasures.asked
        and report.stock_balanced
        and all(r.answer for r in report.refused)
        and ending is Ending.SETTLED
    )
    return report


def ended(ledger: Ledger, facts: Facts) -> set[str]:
    """The closed referrals that came by Kafka."""
    return {
        referral["referral_id"]
        for key, referrals in facts.referrals.items()
        if ledger.submissions[key].door is Door.TOPIC
        for referral in referrals
        if referral["state"] == "closed"
    }


def _by_kafka(ledger: Ledger, facts: Facts) -> ByKafka:
    sent, over = ledger.through(Door.TOPIC), ended(ledger, facts)
    told = [ledger.told[s.referral_id] for s in sent if s.referral_id]
    return ByKafka(
        referrals=len(sent),
        with_receipt=len(told),
        progressed=sum(one.receipts for one in told),
        closed=len(over),
        ends_missing=sum(ledger.told[one].last != "closed" for one in over),
        ends_twice=sum(one.ended_twice for one in ledger.told.values()),
    )


def _erasures(ledger: Ledger) -> Erasures:
    rows = sum((one.rows for one in ledger.met), Counter[str]())
    return Erasures(
        asked=len(ledger.erasures),
        erased=len(ledger.met),
        by_moment=_count(one.moment for one in ledger.met),
        rows_shown=sum(one.rows_shown for one in ledger.met),
        rows_erased=dict(sorted(rows.items())),
        kept=sorted({code for one in ledger.met for code in one.kept}),
    )


def _count(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(map(str, words)).items()))


def _is_nobodys(it: Details, ends: Collection[str]) -> bool:
    return it["state"] not in ends and not (it.get("owner") and it.get("due_at"))


def _lost_referrals(sent: list[Submission], facts: Facts) -> Iterator[str]:
    for submission in sent:
        if not facts.referrals.get((submission.source, submission.reference)):
            told = "acknowledged" if submission.acknowledged else "never acknowledged"
            yield f"{submission.source} {submission.reference}: {told} by {submission.door}, has no referral"


def _lost_needs(ledger: Ledger, facts: Facts) -> Iterator[str]:
    for key, referrals in facts.referrals.items():
        submission = ledger.submissions[key]
        needs = [need for referral in referrals for need in referral["needs"]]
        withdrawn = any(referral.get("outcome") == "withdrawn" for referral in referrals)
        expected = len(submission.resident.needs) + (0 if withdrawn else submission.found)
        if len(needs) < expected:
            yield f"{key[0]} {key[1]}: {expected} needs submitted or found, {len(needs)} known"


def _twice(facts: Facts) -> Iterator[str]:
    for (source, reference), referrals in facts.referrals.items():
        # whoever asks again after the end gets a new referral, linked to the one before
        firsts = [r for r in referrals if not r.get("previous_referral_id")]
        if len(firsts) > 1:
            yield f"{source} {reference}: {len(firsts)} referrals that follow none"
        for referral in referrals:
            for line in _twice_in_timeline(referral["timeline"]):
                yield f"{source} {reference}: {line} twice in the timeline"
    for need_id in _repeated(Counter(p["need_id"] for p in facts.parcels)):
        yield f"need {need_id}: two parcels"
    for need_id, kind in _repeated(
        Counter((t["need_id"], t["kind"]) for t in facts.tasks if t.get("need_id"))
    ):
        yield f"need {need_id}: two tasks {kind}"
    for parcel_id in _repeated(Counter(t["parcel_id"] for t in facts.tasks if t.get("parcel_id"))):
        yield f"parcel {parcel_id}: two deliveries"
    for kind, need_id in _repeated(
        Counter(
            (e["kind"], need["need_id"])
            for e in facts.escalations
            if GIVEN_BACK.isdisjoint((e["state"], e.get("outcome")))
            for need in e["needs"]
        )
    ):
        yield f"need {need_id}: two escalations {kind}"


def _repeated(keys: Counter[Any]) -> list[Any]:
    return [key for key, count in keys.items() if count > 1]


def _stories(referrals: Iterable[Details]) -> dict[str, list[str]]:
    return {referral["referral_id"]: list(tell(referral)) for referral in islice(referrals, 10)}


def _twice_in_timeline(timeline: list[Details]) -> Iterator[str]:
    yield from dict.fromkeys([*_too_often(timeline), *_same_again(timeline)])


def _too_often(timeline: list[Details]) -> Iterator[str]:
    for there, back, name in _THERE_AND_BACK:
        ways: dict[Any, Counter[str]] = defaultdict(Counter)
        for line in timeline:
            if line["kind"] in {there, back}:
                ways[(line.get("detail") or {}).get(name)][line["kind"]] += 1
        for way in ways.values():
            if way[there] > way[back] + 1:
                yield there
            if way[back] > way[there]:
                yield back
    changes = sum(line["kind"] in _CHANGES for line in timeline)
    asked = Counter(line["detail"].get("parcel_id") for line in timeline if line["kind"] == _ASKED)
    if any(count > 1 + changes for count in asked.values()):
        yield _ASKED


def _same_again(timeline: list[Details]) -> Iterator[str]:
    seen: Counter[Any] = Counter()
    before: dict[Any, Any] = {}
    for line in timeline:
        kind, detail, need_id = line["kind"], line.get("detail") or {}, line.get("need_id")
        same = kind, line["at"], need_id, json.dumps(detail, sort_keys=True)
        thing = next((detail[name] for name in _THINGS if name in detail), None)
        # a thing may be in one state twice within an instant, but not without leaving it between
        is_another = thing is not None and before.get(thing) != same
        before[thing] = same
        if kind not in _COUNTED:
            seen[same] = max(seen[same], 1) if is_another else seen[same] + 1
        if kind in _ONCE:
            field = _ONCE[kind]
            seen[kind, need_id if field is None else detail.get(field)] += 1
    for kind, *_ in _repeated(seen):
        yield kind


def _open_by_owner(needs: list[Details], now: datetime) -> dict[str, OpenNeeds]:
    due: dict[str, list[datetime | None]] = defaultdict(list)
    for need in needs:
        if need["state"] not in FINAL:
            at = need.get("due_at")
            due[need.get("owner") or "nobody"].append(datetime.fromisoformat(at) if at else None)
    return {
        owner: OpenNeeds(
            needs=len(times),
            overdue=sum(at is not None and at < now for at in times),
            next_due_at=min((at for at in times if at), default=None),
        )
        for owner, times in sorted(due.items())
    }
