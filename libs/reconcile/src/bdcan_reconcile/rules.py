"""The rules: what must hold about each need across the five services. Pure: from the rows to the culprits.

A rule says only what follows from the rows. Whether the services will agree in a moment, because an event is on its way,
is for `check` to find out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from bdcan_contracts.catalogue import INBOUND_REFERRALS
from bdcan_contracts.vocabulary import HELPED
from bdcan_reconcile.culprits import Culprit, again, decide, look, open_task
from bdcan_reconcile.rows import Escalation, Known, Need, Parcel, Referral, Stores, Task

ENDED = frozenset({"met", "unmet", "referred-on", "withdrawn"})
LIVE_CALL = frozenset({"due", "claimed", "unanswered"})
LIVE_TASK = frozenset({"open", "offered", "accepted"})
LIVE_PARCEL = frozenset({"requested", "short", "reserved", "picking", "packed", "dispatched"})
OVER = frozenset({"declined", "closed"})
"""States in which an escalation has ended."""

_INTAKE, _ROUTING, _MATCH, _FOODHUB, _ESCALATION = (
    "intake",
    "routing",
    "volunteer-match",
    "foodhub",
    "escalation",
)

_HANDLER_FAILED = "handler-failed"


class Index:
    """The rows by what they are about."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.referrals = {r.referral_id: r for r in stores.referrals}
        self.needs: defaultdict[UUID, list[Need]] = defaultdict(list)
        for need in stores.needs:
            self.needs[need.referral_id].append(need)
        self.assignments = {a.referral_id: a for a in stores.assignments}
        self.calls = {c.referral_id: c for c in stores.calls}
        self.live_tasks = [t for t in stores.tasks if t.state in LIVE_TASK]
        self.live_parcels = [p for p in stores.parcels if p.state in LIVE_PARCEL]
        self.live_escalations = [x for x in stores.escalations if x.state not in OVER]
        self.tasks_of_need = {(t.referral_id, t.need_id) for t in self.live_tasks}
        self.stopped_tasks = {(t.referral_id, t.need_id) for t in self.live_tasks if t.stopped_by}
        self.parcels_of_need = {(p.referral_id, p.need_id) for p in self.live_parcels}
        self.escalated = {(x.referral_id, need_id) for x in self.live_escalations for need_id in x.need_ids}
        self.met, self.passed_on = _ends(stores)

    def rung(self, referral_id: UUID) -> bool:
        """Whether somebody will ring the resident, or must look because nobody may."""
        call = self.calls.get(referral_id)
        return call is not None and (call.state in LIVE_CALL or call.review is not None)

    def ended_elsewhere(self, place: tuple[UUID, UUID]) -> bool:
        """Whether a service has ended the need, so that intake has not heard of it."""
        return place in self.met or place in self.passed_on


def judge(stores: Stores) -> list[Culprit]:
    """All culprits of a reading."""
    index = Index(stores)
    return [culprit for rule in RULES for culprit in rule(index)]


def needs_have_an_owner_and_a_time(index: Index) -> Iterator[Culprit]:
    """An open need has an owner and a time, and a referral is open exactly as long as something is to come."""
    for referral in index.referrals.values():
        needs = index.needs.get(referral.referral_id, [])
        open_needs = [need for need in needs if need.state not in ENDED]
        for need in open_needs:
            if need.owner is None or need.due_at is None:
                yield _culprit(
                    "need-without-owner",
                    referral.referral_id,
                    f"need {need.need_id}",
                    f"is {need.state} with {need.owner or 'nobody'}, due {need.due_at or 'never'}",
                    again(referral.referral_id, _INTAKE),
                    _INTAKE,
                )
            if referral.state == "closed":
                yield _culprit(
                    "closed-with-open-need",
                    referral.referral_id,
                    f"need {need.need_id}",
                    f"is {need.state} with {need.owner}, and the referral is closed ({referral.outcome})",
                    again(referral.referral_id, _INTAKE),
                    _INTAKE,
                )
        if referral.state != "closed" and not open_needs:
            yield from _must_close_or_wait(index, referral, len(needs))


def _must_close_or_wait(index: Index, referral: Referral, needs: int) -> Iterator[Culprit]:
    """A referral whose needs have all ended closes, or waits for a call that somebody will make."""
    if referral.called or referral.out_of_area or referral.withdrawn:
        says = f"is {referral.state}, and its {needs} needs have ended"
        repair = again(referral.referral_id, _INTAKE)
        yield _culprit("not-closed", referral.referral_id, "referral", says, repair, _INTAKE)
    elif not index.rung(referral.referral_id) and not _waits_for_routing(index, referral):
        yield _nobody_rings(index, referral)


def open_needs_are_in_hands(index: Index) -> Iterator[Culprit]:
    """Whoever intake says has an open need has it indeed."""
    worked = _ever_in_hand(index.stores)
    unrung: set[UUID] = set()
    for need in index.stores.needs:
        referral = index.referrals.get(need.referral_id)
        if need.state in ENDED or need.owner is None or referral is None or referral.state == "closed":
            continue
        place = (need.referral_id, need.need_id)
        if need.owner.startswith("hub:"):
            if not index.rung(need.referral_id) and place not in index.stopped_tasks:
                unrung.add(need.referral_id)
            continue
        whose, held = _holder(index, referral, need.owner, place)
        if not held and not index.ended_elsewhere(place):
            at = index.assignments.get(need.referral_id)
            unheard = place in worked or (whose == _ROUTING and at is not None and at.version > 0)
            repair = again(need.referral_id, _INTAKE if unheard else whose)
            if whose == _MATCH and need.lane == "community" and not unheard:
                repair = open_task(*place)  # no event of another service makes it
            yield _culprit(
                "nobody-has-it",
                need.referral_id,
                f"need {need.need_id}",
                f"({need.code}) is {need.state} with {need.owner}, who does not have it",
                repair,
                _INTAKE,
                whose,
            )
    for referral_id in sorted(unrung):
        yield _nobody_rings(index, index.referrals[referral_id])


def routing_knows_each_referral(index: Index) -> Iterator[Culprit]:
    """Routing has an assignment for each open referral, and ends it no earlier than intake."""
    for referral in index.referrals.values():
        if referral.state == "closed":
            continue
        at = index.assignments.get(referral.referral_id)
        if at is None:
            yield _culprit(
                "assignment-missing",
                referral.referral_id,
                "referral",
                f"is {referral.state} with {referral.owner}, and routing does not know it",
                again(referral.referral_id, _ROUTING),
                _INTAKE,
                _ROUTING,
            )
        elif at.state == "ended" and not referral.withdrawn:
            yield _culprit(
                "ended-early",
                referral.referral_id,
                "referral",
                f"is {referral.state} with {referral.owner}, and for routing it has ended",
                again(referral.referral_id, _ROUTING),
                _INTAKE,
                _ROUTING,
            )


def hubs_agree(index: Index) -> Iterator[Culprit]:
    """Each service that keeps the hub of an open referral keeps the same."""
    kept: list[tuple[str, dict[UUID, str | None]]] = [
        (_ROUTING, {a.referral_id: a.hub_id for a in index.stores.assignments}),
        (_MATCH, {c.referral_id: c.hub_id for c in index.stores.calls}),
        (_FOODHUB, _hubs(index.stores.foodhub)),
        (_ESCALATION, _hubs(index.stores.escalation)),
    ]
    for referral in index.referrals.values():
        hubs = {service: hub for service, known in kept if (hub := known.get(referral.referral_id))}
        if referral.hub_id:
            hubs[_INTAKE] = referral.hub_id
        if len(set(hubs.values())) > 1:
            behind = next((s for s in hubs if hubs[s] != hubs.get(_ROUTING)), _INTAKE)
            yield _culprit(
                "hub-differs",
                referral.referral_id,
                "referral",
                ", ".join(f"{service} says {hub}" for service, hub in sorted(hubs.items())),
                again(referral.referral_id, behind),
                *sorted(hubs),
            )


def what_is_closed_has_ended(index: Index) -> Iterator[Culprit]:
    """Nobody works for a referral that is closed."""
    for at in index.stores.assignments:
        if at.state != "ended":
            yield from _after_end(index, _ROUTING, at.referral_id, "referral", f"is {at.state} in routing")
    for call in index.stores.calls:
        if call.state in LIVE_CALL:
            yield from _after_end(index, _MATCH, call.referral_id, f"call {call.call_id}", f"is {call.state}")
    for task in index.live_tasks:
        yield from _after_end(index, _MATCH, task.referral_id, f"task {task.task_id}", f"is {task.state}")
    for parcel in index.live_parcels:
        yield from _after_end(
            index, _FOODHUB, parcel.referral_id, f"parcel {parcel.parcel_id}", f"is {parcel.state}"
        )
    for x in index.live_escalations:
        if x.referral_id not in index.referrals:
            yield from _after_end(
                index, _ESCALATION, x.referral_id, f"escalation {x.escalation_id}", f"is {x.state}"
            )


def work_is_for_a_need(index: Index) -> Iterator[Culprit]:
    """Who works for a need works for one that intake has."""
    known = {(need.referral_id, need.need_id) for need in index.stores.needs}
    works: list[tuple[str, str, UUID, UUID]] = [
        *(
            (_MATCH, f"task {t.task_id}", t.referral_id, t.need_id)
            for t in index.live_tasks
            if t.need_id is not None
        ),
        *((_FOODHUB, f"parcel {p.parcel_id}", p.referral_id, p.need_id) for p in index.live_parcels),
        *(
            (_ESCALATION, f"escalation {x.escalation_id}", x.referral_id, need_id)
            for x in index.live_escalations
            for need_id in x.need_ids
        ),
    ]
    for service, about, referral_id, need_id in works:
        if referral_id in index.referrals and (referral_id, need_id) not in known:
            yield _culprit(
                "need-unknown",
                referral_id,
                about,
                f"is for need {need_id}, which intake does not have",
                again(referral_id, _INTAKE),
                _INTAKE,
                service,
            )


def nothing_is_served_twice(index: Index) -> Iterator[Culprit]:
    """No need has two parcels, two tasks of a kind or two escalations of a kind; no parcel has two deliveries."""
    s = index.stores
    yield from _twice(
        _FOODHUB,
        "parcels",
        ((p.referral_id, p.need_id, f"parcel {p.parcel_id}") for p in s.parcels if p.state != "cancelled"),
    )
    kept = [t for t in s.tasks if t.state != "cancelled"]
    yield from _twice(
        _MATCH,
        "tasks",
        ((t.referral_id, (t.need_id, t.kind), f"task {t.task_id}") for t in kept if t.need_id),
    )
    yield from _twice(
        _MATCH,
        "deliveries",
        ((t.referral_id, t.parcel_id, f"task {t.task_id}") for t in kept if t.parcel_id),
    )
    yield from _twice(
        _ESCALATION,
        "escalations",
        (
            (x.referral_id, (x.kind, need_id), f"escalation {x.escalation_id}")
            for x in s.escalations
            if not _given_back(x)
            for need_id in x.need_ids
        ),
    )


def needs_are_in_one_hand(index: Index) -> Iterator[Culprit]:
    """Two services do not work for one need at once. A welfare concern may run beside the help that was found since."""
    hands: defaultdict[tuple[UUID, UUID], list[tuple[str, str]]] = defaultdict(list)
    for task in index.live_tasks:
        if task.need_id and not task.parcel_id:
            hands[task.referral_id, task.need_id].append((_MATCH, f"task {task.task_id}"))
    for parcel in index.live_parcels:
        hands[parcel.referral_id, parcel.need_id].append((_FOODHUB, f"parcel {parcel.parcel_id}"))
    for x in index.live_escalations:
        if x.kind != "welfare-concern":
            for need_id in x.need_ids:
                hands[x.referral_id, need_id].append((_ESCALATION, f"escalation {x.escalation_id}"))
    for (referral_id, need_id), held in hands.items():
        services = sorted({service for service, _ in held})
        if len(services) > 1:
            yield _culprit(
                "two-hands",
                referral_id,
                f"need {need_id}",
                "is in the hands of " + " and ".join(thing for _, thing in held),
                decide(referral_id),
                *services,
            )


def ends_agree(index: Index) -> Iterator[Culprit]:
    """What a service has ended has ended for intake, in the same way; and intake ends nothing that nobody ended."""
    needs = {(need.referral_id, need.need_id): need for need in index.stores.needs}
    met, passed_on = index.met, index.passed_on
    for place, (service, why) in met.items():
        yield from _is(index, needs.get(place), place, "met", service, why)
    for place, (service, why) in passed_on.items():
        if place not in met:
            yield from _is(index, needs.get(place), place, "referred-on", service, why)
    for place, need in needs.items():
        if need.state == "met" and place not in met:
            yield _end_differs(need, "is met for intake, and nobody met it", _MATCH, _FOODHUB, _ESCALATION)
        if need.state == "referred-on" and place not in passed_on:
            yield _end_differs(need, "is referred on for intake, and escalation did not", _ESCALATION)


def parcels_and_deliveries_agree(index: Index) -> Iterator[Culprit]:
    """A packed parcel has a volunteer's task, a task has its parcel, and both say the same about the door."""
    parcels = {p.parcel_id: p for p in index.stores.parcels}
    tasks: defaultdict[UUID, list[Task]] = defaultdict(list)
    for task in index.stores.tasks:
        if task.parcel_id:
            tasks[task.parcel_id].append(task)
    for parcel in index.stores.parcels:
        states = {t.state for t in tasks.get(parcel.parcel_id, ())}
        if parcel.state in {"packed", "dispatched"} and not states & (LIVE_TASK | {"done"}):
            yield _culprit(
                "parcel-without-delivery",
                parcel.referral_id,
                f"parcel {parcel.parcel_id}",
                f"is {parcel.state}, and no volunteer is asked to bring it",
                again(parcel.referral_id, _MATCH),
                _FOODHUB,
                _MATCH,
            )
        if (parcel.state == "delivered") != ("done" in states):
            yield _delivery_differs(parcel)
    for of_parcel in tasks.values():
        for task in of_parcel:
            parcel = parcels.get(task.parcel_id) if task.parcel_id else None
            if task.state in LIVE_TASK and (parcel is None or parcel.state == "cancelled"):
                yield _culprit(
                    "delivery-without-parcel",
                    task.referral_id,
                    f"task {task.task_id}",
                    f"is {task.state}, and its parcel {task.parcel_id} is {parcel.state if parcel else 'gone'}",
                    again(task.referral_id, _FOODHUB if parcel is None else _MATCH),
                    _FOODHUB,
                    _MATCH,
                )


def open_things_are_looked_at_again(index: Index) -> Iterator[Culprit]:
    """What is open has a deadline that makes its service look at it again."""
    for r in index.referrals.values():
        if r.state == "received" and not r.assignment_version and r.assignment_look_at is None:
            yield _unwatched(_INTAKE, r.referral_id, "referral", "assignment-due", r.referral_id, r.due_at)
    for a in index.stores.assignments:
        if a.state == "held" and a.triage_look_at is None:
            yield _unwatched(
                _ROUTING, a.referral_id, "assignment", "triage-due", a.referral_id, a.triage_due_at
            )
    for t in index.live_tasks:
        if t.look_at is None:
            yield _unwatched(_MATCH, t.referral_id, f"task {t.task_id}", "task", t.task_id, t.next_at)
    for p in index.live_parcels:
        about = f"parcel {p.parcel_id}"
        if p.due_look_at is None:
            yield _unwatched(_FOODHUB, p.referral_id, about, "parcel-due", p.parcel_id, p.due_at)
        if p.state == "short" and p.retry_look_at is None:
            about += " (stock)"
            yield _unwatched(_FOODHUB, p.referral_id, about, "parcel-retry", p.parcel_id, p.retry_at)
    for x in index.live_escalations:
        if x.look_at is None:
            about = f"escalation {x.escalation_id}"
            yield _unwatched(_ESCALATION, x.referral_id, about, "escalation-late", x.escalation_id, x.due_at)


def calls_are_looked_at_again(index: Index) -> Iterator[Culprit]:
    """A claim runs out, a person's look is waited for until a time, and a call that is to be made has a time and an alarm."""
    for c in index.stores.calls:
        about = f"call {c.call_id}"
        if c.state == "claimed" and c.claim_look_at is None:
            yield _unwatched(_MATCH, c.referral_id, about, "claim", c.referral_id, c.claim_expires_at)
        if c.review is not None and c.review_look_at is None:
            yield _unwatched(_MATCH, c.referral_id, about, "review", c.referral_id, c.review_by)
        if c.state in LIVE_CALL and c.review is None and c.due_at is not None and c.alarm_look_at is None:
            yield _unwatched(_MATCH, c.referral_id, about, "call", c.referral_id, c.due_at)
        if c.state in LIVE_CALL and c.due_at is None:
            says, repair = f"is {c.state}, and is due at no time", again(c.referral_id, _MATCH)
            yield _culprit("deadline-missing", c.referral_id, about, says, repair, _MATCH)


def council_has_each_case(index: Index) -> Iterator[Culprit]:
    """The council has one case for each escalation that has a case number, and both say the same about it."""
    if index.stores.cases is None:
        return
    known = {x.escalation_id: x for x in index.stores.escalations}
    by_escalation = defaultdict(list)
    for case in index.stores.cases:
        by_escalation[case.escalation_id].append(case)
    ring = "ring Community Solutions and name the escalation: no command can make a case there"
    for escalation_id, cases in by_escalation.items():
        if len(cases) > 1:
            x = known.get(escalation_id)
            names = ", ".join(sorted(case.case_id for case in cases))
            about = f"escalation {escalation_id}"
            referral_id = x.referral_id if x else None
            yield _culprit("case-twice", referral_id, about, f"has the cases {names}", ring, _ESCALATION)
        if escalation_id not in known:
            about = f"case {cases[0].case_id}"
            says = f"is about escalation {escalation_id}, which escalation does not know"
            yield _culprit("case-unknown", None, about, says, ring, _ESCALATION)
    for x in known.values():
        if x.case_id is None:
            continue
        about, says = f"escalation {x.escalation_id}", f"is {x.state} as case {x.case_id}"
        cases = by_escalation.get(x.escalation_id, [])
        case = next((case for case in cases if case.case_id == x.case_id), None)
        if case is None:
            says += ", which the council does not have"
            yield _culprit("case-missing", x.referral_id, about, says, ring, _ESCALATION)
        # the last thing that the council said is where the escalation stands
        elif case.told and x.outcome != "withdrawn" and case.told[-1] != x.state:
            says += f", and the council said {case.told[-1]}"
            yield _culprit("case-differs", x.referral_id, about, says, ring, _ESCALATION)


def nothing_stands_still(index: Index) -> Iterator[Culprit]:
    """No deadline is forgotten, no event waits unsent, none is set aside."""
    for d in index.stores.deadlines:
        failed = f", failed {d.failures} times with {d.error}" if d.failures else ""
        yield _culprit(
            "deadline-forgotten",
            None,
            f"{d.kind} {d.subject}",
            f"was due {d.due_at:%d %B %H:%M}{failed}",
            f"bdcan logs {d.service}-worker",
            d.service,
        )
    for u in index.stores.unsent:
        yield _culprit(
            "events-stuck",
            None,
            u.topic,
            f"has not been told {u.count} events of {u.service}; the oldest waits {u.seconds:.0f} s",
            f"bdcan logs {u.service}-worker",
            u.service,
        )
    for letter in index.stores.letters:
        if letter.topic.startswith(INBOUND_REFERRALS.name) and letter.reason != _HANDLER_FAILED:
            continue  # the sender's mistake, and the sender is told
        yield _culprit(
            "event-parked",
            letter.referral_id,
            f"dead letter {letter.letter_id}",
            f"is {letter.state} in {letter.service}: {letter.event_type or letter.topic}, {letter.reason}, {letter.error}",
            f"bdcan service {letter.service} dead-letter replay {letter.letter_id} --reason REASON",
            letter.service,
        )


RULES: tuple[Callable[[Index], Iterator[Culprit]], ...] = (
    needs_have_an_owner_and_a_time,
    open_needs_are_in_hands,
    routing_knows_each_referral,
    hubs_agree,
    what_is_closed_has_ended,
    work_is_for_a_need,
    nothing_is_served_twice,
    needs_are_in_one_hand,
    ends_agree,
    parcels_and_deliveries_agree,
    open_things_are_looked_at_again,
    calls_are_looked_at_again,
    council_has_each_case,
    nothing_stands_still,
)


def _culprit(
    kind: str, referral_id: UUID | None, about: str, says: str, repair: str, *services: str
) -> Culprit:
    return Culprit(kind, referral_id, about, says, tuple(dict.fromkeys(services)), repair)


def _ends(stores: Stores) -> tuple[dict[tuple[UUID, UUID], tuple[str, str]], ...]:
    """The needs that were met, and those that were passed on: by whom, and how."""
    met: dict[tuple[UUID, UUID], tuple[str, str]] = {}
    passed_on: dict[tuple[UUID, UUID], tuple[str, str]] = {}
    for p in stores.parcels:
        if p.state == "delivered":
            met[p.referral_id, p.need_id] = (_FOODHUB, "foodhub has delivered its parcel")
    for t in stores.tasks:
        if t.state == "done" and t.need_id and not t.parcel_id:
            met[t.referral_id, t.need_id] = (_MATCH, "a volunteer has done its task")
    for x in stores.escalations:
        if x.state == "closed" and x.outcome in HELPED:
            met |= {(x.referral_id, n): (_ESCALATION, "Community Solutions has helped") for n in x.need_ids}
        elif x.state == "accepted":
            taken = (_ESCALATION, "Community Solutions has taken it on")
            passed_on |= {(x.referral_id, n): taken for n in x.need_ids}
    return met, passed_on


def _ever_in_hand(stores: Stores) -> set[tuple[UUID, UUID | None]]:
    """The needs for which a service has had work, also where that work is over."""
    return {
        *((t.referral_id, t.need_id) for t in stores.tasks),
        *((p.referral_id, p.need_id) for p in stores.parcels),
        *((x.referral_id, need_id) for x in stores.escalations for need_id in x.need_ids),
    }


def _holder(index: Index, referral: Referral, owner: str, place: tuple[UUID, UUID]) -> tuple[str, bool]:
    """The service in which the owner has a need, and whether it does."""
    match owner:
        case "volunteers":
            return _MATCH, place in index.tasks_of_need or place in index.parcels_of_need
        case "foodhub":
            return _FOODHUB, place in index.parcels_of_need
        case "community-solutions":
            return _ESCALATION, place in index.escalated
        case "routing":
            return _ROUTING, _waits_for_routing(index, referral)
        case "intake":
            return _INTAKE, referral.assignment_look_at is not None
        case _:
            return _INTAKE, False


def _waits_for_routing(index: Index, referral: Referral) -> bool:
    """Whether a person decides where it belongs. Another rule names a referral that routing does not know."""
    at = index.assignments.get(referral.referral_id)
    return at is None or at.state == "held"


def _nobody_rings(index: Index, referral: Referral) -> Culprit:
    call = index.calls.get(referral.referral_id)
    says = f"waits for a call by {referral.owner}, and the call is {call.state if call else 'gone'}"
    unheard = call is not None and call.state in {"answered", "exhausted"}
    repair = again(referral.referral_id, _INTAKE if unheard else _MATCH)
    return _culprit("nobody-rings", referral.referral_id, "referral", says, repair, _INTAKE, _MATCH)


def _hubs(known: Iterable[Known]) -> dict[UUID, str | None]:
    return {row.referral_id: row.hub_id for row in known}


def _after_end(index: Index, service: str, referral_id: UUID, about: str, says: str) -> Iterator[Culprit]:
    referral = index.referrals.get(referral_id)
    if referral is None:
        says += ", and intake does not have the referral"
        yield _culprit("referral-unknown", referral_id, about, says, decide(referral_id), _INTAKE, service)
    elif referral.state == "closed":
        says += f", and the referral is closed ({referral.outcome})"
        repair = again(referral_id, service)
        yield _culprit("goes-on-after-end", referral_id, about, says, repair, _INTAKE, service)


def _twice(service: str, what: str, things: Iterable[tuple[UUID, Any, str]]) -> Iterator[Culprit]:
    found: dict[Any, list[tuple[UUID, str]]] = {}
    for referral_id, served, thing in things:
        found.setdefault(served, []).append((referral_id, thing))
    for served, held in found.items():
        if len(held) > 1:
            referral_id = held[0][0]
            about = " ".join(map(str, served)) if isinstance(served, tuple) else str(served)
            says = f"has {len(held)} {what}: " + ", ".join(thing for _, thing in held)
            yield _culprit("served-twice", referral_id, about, says, decide(referral_id), service)


def _given_back(x: Escalation) -> bool:
    return x.state == "declined" or (x.state == "closed" and x.outcome not in HELPED)


def _is(
    index: Index, need: Need | None, place: tuple[UUID, UUID], state: str, service: str, why: str
) -> Iterator[Culprit]:
    referral_id, need_id = place
    if referral_id not in index.referrals:
        return  # another rule names it
    # a need that the resident gave up stays so, even if help was on its way
    if need is None or need.state not in {state, "withdrawn"}:
        says = f"{why}, and for intake it is {need.state if need else 'unknown'}"
        repair = again(referral_id, _INTAKE)
        yield _culprit("end-differs", referral_id, f"need {need_id}", says, repair, _INTAKE, service)


def _end_differs(need: Need, says: str, *services: str) -> Culprit:
    referral_id = need.referral_id
    return _culprit(
        "end-differs", referral_id, f"need {need.need_id}", says, decide(referral_id), _INTAKE, *services
    )


def _delivery_differs(parcel: Parcel) -> Culprit:
    if parcel.state == "delivered":
        behind, says = _MATCH, "is delivered for foodhub, and no volunteer has brought it"
    else:
        behind, says = _FOODHUB, f"was brought by a volunteer, and foodhub says {parcel.state}"
    repair = again(parcel.referral_id, behind)
    about = f"parcel {parcel.parcel_id}"
    return _culprit("delivery-differs", parcel.referral_id, about, says, repair, _FOODHUB, _MATCH)


def _unwatched(service: str, referral_id: UUID, about: str, kind: str, subject: UUID, at: Any) -> Culprit:
    when = at.isoformat() if at else "TIME"
    says = f"is open, and the deadline {kind} is missing" + (f" (due {when})" if at else "")
    return _culprit("deadline-missing", referral_id, about, says, look(service, kind, subject, when), service)
