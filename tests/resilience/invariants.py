"""What must hold after any faults: one pure function for each invariant, from the evidence to the offenders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from bdcan_chassis.dispatch import position_key
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_REFERRALS
from bdcan_contracts.envelope import consumed_types
from bdcan_contracts.inbound.references import hashed
from bdcan_contracts.models import Household
from bdcan_contracts.vocabulary import Reason
from bdcan_foodhub.domain.contents import contents
from bdcan_foodhub.domain.items import FORBIDDEN, ITEMS
from bdcan_local.processes import SERVICES
from bdcan_reconcile.rules import ENDED
from bdcan_reconcile.rules import judge as reconciled

from .evidence import LATE, Evidence, Record, Row
from .scan import remains

_OWN = ("bdcan.intake.referral.", "bdcan.intake.safeguarding-concern.")
_NOTES = frozenset({"assignment.overdue"})
"""What intake writes into a timeline for itself, and tells nobody."""

_ACCEPTED = "bdcan.volunteer-match.task.accepted.v1"
_AMENDED = "bdcan.intake.referral.amended.v1"


def one_referral_each(e: Evidence) -> Iterator[str]:
    """Each input has one referral, or a chain: whoever asks again after the end gets a new one, linked to the one before.

    The referral of somebody who was erased has lost its reference.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    by_hash = {
        (source, hashed(source, reference)): (source, reference) for source, reference in e.sent.references
    }
    for referral in e.of("intake", "referral"):
        key = (referral["source"], referral["reference"])
        key = e.sent.erased.get(referral["id"], by_hash.get(key, key))
        found.setdefault(key, []).append(referral)
    for source, reference in sorted(e.sent.references):
        referrals = found.get((source, reference), [])
        followed = Counter(r["previous_referral_id"] for r in referrals)
        firsts = followed.pop(None, 0)
        if (
            firsts != 1
            or not followed.keys() <= {r["id"] for r in referrals}
            or max(followed.values(), default=1) > 1
        ):
            yield f"{source} {reference}: {len(referrals)} referrals, {firsts} of them follow none"
    for source, reference in found.keys() - e.sent.references:
        yield f"{source} {reference}: nobody submitted it"


def no_call_back_counts_twice(e: Evidence) -> Iterator[str]:
    """What the council said about an escalation was taken once."""
    yield from _twice(
        "call-backs taken", ((c["escalation_id"], c["said"]) for c in e.of("escalation", "call_back"))
    )


def nobody_falls_through(e: Evidence) -> Iterator[str]:
    """Somebody has each need, and the five services and the council agree: what `bdcan reconcile` says."""
    for culprit in reconciled(e.stores):
        yield f"{culprit.referral_id}: {culprit.kind}: {culprit.about} {culprit.says}"


def stock_balances(e: Evidence) -> Iterator[str]:
    """Stock received = on hand + reserved + issued + wasted, by the levels, by the movements and by the parcels."""
    moved: Counter[tuple[str, str, str]] = Counter()
    for m in e.of("foodhub", "movement"):
        moved[m["site_id"], m["item_id"], m["kind"]] += m["quantity"]
    promised: Counter[tuple[str, str]] = Counter()
    issued: Counter[tuple[str, str]] = Counter()
    for parcel in e.of("foodhub", "parcel"):
        into = {"reserved": promised, "picking": promised} | dict.fromkeys(
            ("packed", "dispatched", "delivered"), issued
        )
        held = (
            (into.get(parcel["state"], Counter()), parcel["lines"]),
            (promised, parcel["top_up"]),
            (issued, parcel["sent"]),
        )
        for total, lines in held:
            for line in lines:
                total[parcel["site_id"], line["item_id"]] += line["quantity"]
    for level in e.of("foodhub", "stock"):
        site, item = place = level["site_id"], level["item_id"]
        free = level["on_hand"] - level["reserved"]
        figures = {
            "received": (
                level["received"],
                free + level["reserved"] + level["issued"] + level["wasted"],
                moved[site, item, "received"],
            ),
            "issued": (
                level["issued"],
                moved[site, item, "issued"] - moved[site, item, "put-back"],
                issued[place],
            ),
            "wasted": (level["wasted"], moved[site, item, "wasted"]),
            "reserved": (level["reserved"], promised[place]),
        }
        for what, said in figures.items():
            if len(set(said)) > 1:
                yield f"{site} {item}: {what} is {' or '.join(map(str, said))}"
        if free < 0:
            yield f"{site} {item}: {free} are free"


def what_leaves_fits(e: Evidence) -> Iterator[str]:
    """What leaves the door fits what was known of the resident when it left, unless a person said that it may go.

    Foodhub knows an amendment once its transaction has committed. The transaction of an acceptance that began later must
    respect it. One that began before may not have seen it.
    """
    received = {row["event_key"]: row for row in e.of("foodhub", "inbox")}
    fetched: dict[UUID, datetime] = {}
    amended: dict[UUID, list[Record]] = defaultdict(list)
    for r in e.records:
        if r.key not in received:
            continue
        if r.type == _ACCEPTED and r.parcel_id:
            began = received[r.key]["received_at"]
            fetched[r.parcel_id] = max(began, fetched.get(r.parcel_id, began))
        elif r.type == _AMENDED and r.referral_id:
            amended[r.referral_id].append(r)
    for parcel in e.of("foodhub", "parcel"):
        what, left = f"parcel {parcel['parcel_id']}", parcel["departure"]
        if parcel["referral_id"] in e.sent.erased:
            continue  # what was known of them went with them
        if parcel["state"] in {"dispatched", "delivered"} and left is None:
            yield f"{what} has left, and nobody noted what was known"
        if left is None or left["kept"]:
            continue
        home = left["household"] and Household.model_validate(left["household"], strict=False)
        right = Counter({x.item_id: x.quantity for x in contents(parcel["code"], home, left["diets"])})
        held: Counter[str] = Counter()
        for line in (line for name in ("lines", "back_order", "top_up", "sent") for line in parcel[name]):
            held[line["item_id"]] += line["quantity"]
        # what is no food follows, and may have been given up since
        lacks = right - held
        if held - right or any(ITEMS[item_id].food for item_id in lacks):
            yield f"{what} left with {dict(held)}, and the resident should have {dict(right)}"
        known = [
            r
            for r in amended[parcel["referral_id"]]
            if parcel["parcel_id"] in fetched
            and received[r.key]["committed_at"] < fetched[parcel["parcel_id"]]
        ]
        diets = known[-1].diets if known else ()
        for item_id in held:
            if not ITEMS[item_id].suits(frozenset().union(*(FORBIDDEN.get(diet, ()) for diet in diets))):
                yield f"{what} left with {item_id}, and foodhub knew of {', '.join(diets)}"


def timelines_are_complete(e: Evidence) -> Iterator[str]:
    """What the services did is in intake's timelines, once each, and nothing else is. Who was erased has none."""
    heard = {name for topic, name in consumed_types(CATALOGUE, "intake") if topic != INBOUND_REFERRALS}
    happened = {
        (r.referral_id, r.key): r.type
        for r in e.records
        if r.type and r.referral_id and (r.type in heard or r.type.startswith(_OWN))
        if r.referral_id not in e.sent.erased
    }
    told = {
        (t["referral_id"], t["event_key"]): t["kind"]
        for t in e.of("intake", "timeline")
        if t["kind"] not in _NOTES
    }
    for referral_id, key in happened.keys() - told.keys():
        yield f"{referral_id}: {happened[referral_id, key]} {key} is not told"
    for referral_id, key in told.keys() - happened.keys():
        yield f"{referral_id}: {told[referral_id, key]} {key} is told, and on no topic"


def timelines_are_in_order(e: Evidence) -> Iterator[str]:
    """What happened to one thing (referral, call, task, parcel, escalation) is told in the order in which it happened.

    Also where the clocks of those who told it disagree.
    """
    told = {t["event_key"]: t["at"] for t in e.of("intake", "timeline")}
    last: dict[tuple[str, bytes | None], tuple[datetime, Record]] = {}
    for record in _once(e.records):
        at = told.get(record.key) if record.key else None
        if at is None:
            continue
        thing = (record.topic, record.record_key)
        before = last.get(thing)
        if before is not None and at < before[0]:
            yield (
                f"{record.referral_id}: {record.type} at {at:%H:%M:%S.%f} is told before "
                f"{before[1].type} at {before[0]:%H:%M:%S.%f}, which came first"
            )
        if before is None or at > before[0]:
            last[thing] = (at, record)


def outboxes_are_empty(e: Evidence) -> Iterator[str]:
    """Everything that was to be said has been said."""
    for service in SERVICES:
        for topic, count in Counter(row["topic"] for row in e.of(service, "outbox")).items():
            yield f"{service}: {count} events for {topic} are unsent"


def deadlines_are_kept(e: Evidence) -> Iterator[str]:
    """No deadline is overdue and unfired, and none fails."""
    for service in SERVICES:
        for d in e.of(service, "deadline"):
            if d["due_at"] < e.now - LATE or d["failures"]:
                failed = f", failed {d['failures']} times: {d['last_error']}" if d["failures"] else ""
                yield f"{service}: {d['kind']} of {d['subject']} was due {d['due_at']:%d %B %H:%M}{failed}"


def inboxes_hold_the_topics(e: Evidence) -> Iterator[str]:
    """Each record that a service reads is in its inbox or set aside, and nothing else is in there."""
    by_topic: dict[str, list[Record]] = defaultdict(list)
    for record in e.records:
        by_topic[record.topic].append(record)
    for service in SERVICES:
        inbox = {row["event_key"] for row in e.of(service, "inbox")}
        aside = {
            (d["topic"], d["record_partition"], d["record_offset"]) for d in e.of(service, "dead_letter")
        }
        wanted = defaultdict(set)
        for topic, name in consumed_types(CATALOGUE, service):
            wanted[topic].add(name)
        known: set[UUID] = set()
        for topic, types in wanted.items():
            for r in by_topic[topic.name]:
                # what an outsider wrote is known by its place, and so is what nobody can read
                place = position_key(*r.place, r.timestamp)
                key = place if topic.per_sender or r.key is None else r.key
                if r.key is not None and r.type not in types and not topic.per_sender:
                    continue
                known.add(key)
                if key not in inbox and r.place not in aside:
                    yield f"{service}: never took {r.type or 'an unreadable record'} ({topic.name}[{r.partition}]@{r.offset})"
        if strangers := len(inbox - known):
            yield f"{service}: its inbox holds {strangers} events that are on no topic"


def records_have_receipts(e: Evidence) -> Iterator[str]:
    """Each record of an upstream system has exactly one receipt, whatever is wrong with it.

    After a crash the relay may send an event again: it is the same receipt, under the same key.
    """
    receipts = Counter(answers for answers, _ in {(r.answers, r.key) for r in e.records if r.answers})
    inbound = {
        topic.name for topic in CATALOGUE.topics if topic.per_sender and topic.owner not in topic.writers
    }
    for r in e.records:
        if r.topic in inbound and receipts[r.place] != 1:
            yield f"{r.topic}[{r.partition}]@{r.offset} has {receipts[r.place]} receipts"


def events_are_unique(e: Evidence) -> Iterator[str]:
    """An event that was sent again, as after a crash it may be, has the same bytes under the same key."""
    seen: dict[UUID, Record] = {}
    for record in e.records:
        if record.key is None:
            continue
        first = seen.setdefault(record.key, record)
        if (first.topic, first.digest) != (record.topic, record.digest):
            yield f"{record.type} {record.key}: two different records"


def nothing_valid_is_parked(e: Evidence) -> Iterator[str]:
    """Only what was bad on purpose has been set aside, and no key stands still."""
    for service in SERVICES:
        for d in e.of(service, "dead_letter"):
            reference = (d["record_key"] or b"").decode("utf-8", "replace").partition(":")[2]
            if d["topic"] != INBOUND_REFERRALS.name or reference not in e.sent.bad_references:
                yield f"{service}: {d['state']} {d['topic']}: {d['reason']}, {d['error']}"
        for k in e.of(service, "parked_key"):
            yield f"{service}: {k['consumer']} waits at {k['topic']} {k['record_key']!r}"


def answers_were_kept(e: Evidence) -> Iterator[str]:
    """What people were told is done has been done, as often as they were told and no more."""
    done = e.sent.done
    attempts = Counter(a["outcome"] for a in e.of("volunteer-match", "attempt"))
    outcomes = {name.removeprefix("calls ") for name in done if name.startswith("calls ")} | attempts.keys()
    movements = e.of("foodhub", "movement")
    packed = Counter(m["cause"] for m in movements if m["kind"] == "issued")
    figures = {
        **{f"calls {outcome}": attempts[outcome] for outcome in outcomes},
        "tasks completion": sum(t["state"] == "done" for t in e.of("volunteer-match", "task")),
        "tasks concerns": len(e.of("volunteer-match", "concern")),
        "parcels packed": len(packed),
        "stock deliveries": len({m["cause"] for m in movements if m["kind"] == "received"}),
        "withdrawals": sum(
            r["withdrawn_reason"] not in {None, Reason.PERSON_ERASED} for r in e.of("intake", "referral")
        ),
    }
    for what, stored in figures.items():
        if done[what] != stored:
            yield f"{what}: people were told {done[what]} times, the databases hold {stored}"


def the_play_came_out_well(e: Evidence) -> Iterator[str]:
    """The simulator's own report, from the public APIs alone, finds nothing wrong."""
    yield from e.verdict


def processes_stop_and_come_back(e: Evidence) -> Iterator[str]:
    """SIGTERM ends a process with exit code 0, and after every fault all is ready again."""
    yield from e.unclean
    yield from e.absent


def nobody_erased_left_a_trace(e: Evidence) -> Iterator[str]:
    """Whoever asked is erased: their needs have ended, and a scan finds nothing beyond what docs/privacy.md says."""
    yield from e.unerased
    for row in e.of("intake", "person"):
        if row["referral_id"] in e.sent.erased:
            yield f"{row['referral_id']}: intake still knows who was erased"
    for need in e.stores.needs:
        if need.referral_id in e.sent.erased and need.state not in ENDED:
            yield f"{need.referral_id}: need {need.need_id} is {need.state}, and whose it was is erased"
    for place, count in Counter(trace.place for trace in e.traces if not remains(trace)).items():
        yield f"{place}: {count} values of residents who were erased"


INVARIANTS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "each input has exactly one referral": one_referral_each,
    "nobody falls through a gap": nobody_falls_through,
    "no call-back counts twice": no_call_back_counts_twice,
    "stock received = on hand + reserved + issued + wasted": stock_balances,
    "what leaves the door fits what was known": what_leaves_fits,
    "timelines are complete": timelines_are_complete,
    "timelines are in order": timelines_are_in_order,
    "outboxes are empty": outboxes_are_empty,
    "no deadline is overdue": deadlines_are_kept,
    "inboxes hold what the topics hold": inboxes_hold_the_topics,
    "each record of an outsider has one receipt": records_have_receipts,
    "an event is one event": events_are_unique,
    "nothing valid is parked": nothing_valid_is_parked,
    "what was answered is on disk": answers_were_kept,
    "nobody who was erased has left a trace": nobody_erased_left_a_trace,
    "the simulator's own report passes": the_play_came_out_well,
    "processes stop cleanly and come back": processes_stop_and_come_back,
}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """What offends against each invariant."""
    return {name: list(check(evidence)) for name, check in INVARIANTS.items()}


def _twice(what: str, things: Iterable[Any]) -> Iterator[str]:
    for thing, count in Counter(things).items():
        if count > 1:
            yield f"{count} {what} {thing}"


def _once(records: Iterable[Record]) -> Iterator[Record]:
    seen: set[UUID | None] = set()
    for record in records:
        if record.key not in seen:
            seen.add(record.key)
            yield record
