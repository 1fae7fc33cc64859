"""The assignment of one referral: placed with a hub, held for a person, out of area, or ended.

Events of a referral may come in any order. What an amendment says before the referral comes waits in the state
`AWAITED`. What has ended stays ended until the referral is reopened. `version` counts what was published,
`amendment_version` is the referral's version that was last seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.calendar import Calendar, make_calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    AssignmentMethod,
    Household,
    Need,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralHeldForTriage,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReceived,
    ReferralReopened,
)
from bdcan_contracts.typed import GivenPostcode, Postcode, read_postcode
from bdcan_contracts.vocabulary import Reason, TriageReason
from bdcan_routing.domain.errors import NotAllowedError
from bdcan_routing.domain.gazetteer import OutOfArea
from bdcan_routing.domain.hubs import Hub
from bdcan_routing.domain.load import kinds_of
from bdcan_routing.domain.placement import Hold, Placer, ToHub, Verdict

TRIAGE_DUE = "triage-due"
"""Deadline: a person must have placed the referral."""

CURABLE = frozenset({TriageReason.NO_HUB_FOR_WARD, TriageReason.UNKNOWN_POSTCODE})
"""Why a referral may be held that a change of hubs or of the postcode table can cure."""


class State(StrEnum):
    """What routing decided about a referral. Held is the one state that waits for a person, and has a deadline."""

    AWAITED = "awaited"
    HELD = "held"
    ASSIGNED = "assigned"
    OUT_OF_AREA = "out-of-area"
    ENDED = "ended"


UNDO_FOR = timedelta(minutes=30)
"""How long a person's decision can be undone without a reason."""


class Earlier(Struct, frozen=True):
    """What held before a person decided, so that they can undo it."""

    state: State
    verdict: Verdict
    decided_at: datetime


class TriageTimes(Struct, frozen=True):
    """How long a referral may wait for a person before it is asked for again.

    An urgent one waits so long by the clock, at night and on bank holidays, too: somebody is on call. Any other waits so
    much working time: the office decides, and a call can only follow when people may be rung.
    """

    urgent: timedelta = timedelta(minutes=30)
    usual: timedelta = timedelta(hours=4)
    calendar: Calendar = msgspec.field(default_factory=make_calendar)

    def due(self, priority: Priority, now: datetime) -> datetime:
        """When a person must have placed it."""
        if priority is Priority.URGENT:
            return now + self.urgent
        return self.calendar.add_working_time(now, self.usual)


class Facts(Struct, frozen=True):
    """What the next step needs to know of a referral, as it was last told."""

    priority: Priority
    postcode: str | None
    household: Household | None
    needs: tuple[Need, ...]
    diets: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def home(self) -> GivenPostcode:
        """The postcode, read."""
        return read_postcode(self.postcode)


class Assignment(Struct, frozen=True):
    """One referral, as routing knows it. `late_since`: when a person should first have decided, while nobody has."""

    referral_id: UUID
    state: State
    version: int = 0
    amendment_version: int = 0
    outreach: bool = False
    contact_due_at: datetime | None = None
    facts: Facts | None = None
    verdict: Verdict | None = None
    triage_due_at: datetime | None = None
    held_at: datetime | None = None
    decided_by: str | None = None
    earlier: Earlier | None = None
    withdrawn: bool = False
    same_person_ids: tuple[UUID, ...] = ()
    same_household_ids: tuple[UUID, ...] = ()
    linked_at: datetime | None = None
    late_since: datetime | None = None
    claimed_by: str | None = None
    claim_expires_at: datetime | None = None

    @property
    def wanted(self) -> Mapping[str, int]:
        """What a hub must have room for on the day it gets this, by kind."""
        return kinds_of(self.facts.needs if self.facts else (), outreach=self.outreach)

    @property
    def hub_id(self) -> str | None:
        """The hub that looks after it, if one does."""
        return self.verdict.hub_id if isinstance(self.verdict, ToHub) else None

    @property
    def triage_reason(self) -> str | None:
        """Why it waits for a person, or last waited."""
        return self.verdict.reason if isinstance(self.verdict, Hold) else None


def receive(
    state: Assignment | None, event: ReferralReceived, placer: Placer, times: TriageTimes, now: datetime
) -> Step[Assignment]:
    """A referral came in. An amendment that came before it is newer."""
    if state is not None and state.state is not State.AWAITED:
        return Step(replace(state, outreach=event.outreach))
    facts = _facts(event) if state is None or state.facts is None else state.facts
    known = Assignment(
        event.referral_id,
        State.AWAITED,
        amendment_version=0 if state is None else state.amendment_version,
        outreach=event.outreach,
        contact_due_at=event.contact_due_at,
        facts=facts,
    )
    if state is not None:
        known = replace(
            known,
            same_person_ids=state.same_person_ids,
            same_household_ids=state.same_household_ids,
            linked_at=state.linked_at,
        )
    return _settle(known, placer.place(facts.home, known.wanted), times, now)


def link(state: Assignment | None, event: ReferralLinked) -> Step[Assignment]:
    """Intake says which other referrals may be about the same person or household: whoever places one sees the other."""
    known = state or Assignment(event.referral_id, State.AWAITED)
    if known.linked_at is not None and event.linked_at < known.linked_at:
        return Step(known)
    return Step(
        replace(
            known,
            same_person_ids=event.same_person_ids,
            same_household_ids=event.same_household_ids,
            linked_at=event.linked_at,
        )
    )


def amend(
    state: Assignment | None, event: ReferralAmended, placer: Placer, times: TriageTimes, now: datetime
) -> Step[Assignment]:
    """The referral says something else now. It moves only when its new postcode certainly leads elsewhere."""
    if state is None:
        return Step(
            Assignment(event.referral_id, State.AWAITED, amendment_version=event.version, facts=_facts(event))
        )
    if state.state is State.ENDED or event.version <= state.amendment_version:
        return Step(state)
    moved_home = state.facts is None or event.postcode != state.facts.postcode
    known = replace(state, amendment_version=event.version, facts=_facts(event))
    if state.state is State.AWAITED or not moved_home:
        return Step(known)
    verdict = placer.place(read_postcode(event.postcode))
    match state.state, verdict:
        case State.ASSIGNED, ToHub(hub_id=hub_id) if hub_id == state.hub_id:
            return Step(replace(known, verdict=verdict))
        case State.ASSIGNED, ToHub(confirm_at_call=False):
            return move(known, verdict, "address-changed", now)
        case State.ASSIGNED, OutOfArea():
            return _settle(known, verdict, times, now)
        case State.ASSIGNED, _:
            return Step(known)
        case State.OUT_OF_AREA, OutOfArea() if verdict == state.verdict:
            return Step(known)  # its end deleted the postcode: this is the one it had
        case _:
            return _settle(known, verdict, times, now)


def end(state: Assignment | None, referral_id: UUID, *, withdrawn: bool = False) -> Step[Assignment]:
    """The referral was withdrawn or closed. Nothing is left to place, and the postcode is deleted."""
    known = state or Assignment(referral_id, State.ENDED)
    facts = replace(known.facts, postcode=None) if known.facts else None
    return _step(
        known,
        replace(
            known,
            state=State.ENDED,
            facts=facts,
            triage_due_at=None,
            withdrawn=known.withdrawn or withdrawn,
        ),
    )


def reopen(
    state: Assignment | None, event: ReferralReopened, times: TriageTimes, now: datetime
) -> Step[Assignment] | None:
    """Somebody found a need after the end. The referral returns to its hub, out of area, or to triage.

    Its postcode is deleted. Routing has it again when somebody amends the referral.
    """
    if state is None or state.state is not State.ENDED or state.facts is None:
        return None
    known = replace(state, facts=replace(state.facts, priority=event.priority, needs=event.needs))
    match state.verdict:
        case ToHub():
            return Step(replace(known, state=State.ASSIGNED))
        case OutOfArea():
            return Step(replace(known, state=State.OUT_OF_AREA))
        case Hold() as verdict:
            return _hold(known, verdict, times, now)
        case None:
            return None


def ask_again(state: Assignment, times: TriageTimes, now: datetime) -> Step[Assignment]:
    """The triage deadline has come. A referral that is still held is published again, with a new deadline."""
    if state.state is not State.HELD or not isinstance(state.verdict, Hold):
        return Step(state)
    late = replace(state, late_since=state.late_since or state.triage_due_at)
    return _hold(late, state.verdict, times, now)


def triaged(before: Assignment | None, after: Assignment) -> bool | None:
    """Whether a person placed a held referral in time: True; False once the time has passed; None: neither happened."""
    if before is None or before.state is not State.HELD or before.late_since is not None:
        return None
    if after.late_since is not None:
        return False
    return True if after.state in (State.ASSIGNED, State.OUT_OF_AREA) else None


def place_again(state: Assignment, placer: Placer, times: TriageTimes, now: datetime) -> Step[Assignment]:
    """Hubs or postcodes changed. A held referral is placed if a rule can place it now."""
    if state.state is not State.HELD:
        return Step(state)
    verdict = placer.place(_known(state).home, state.wanted)
    return Step(state) if isinstance(verdict, Hold) else _settle(state, verdict, times, now)


def decide(state: Assignment, hub: Hub | None, reason: str, by: str, now: datetime) -> Step[Assignment]:
    """A person places it with a hub, or (None) finds it out of area.

    Raises NotAllowedError unless it is held and the hub takes referrals.
    """
    if hub is not None:
        hub.must_take_referrals()
    if state.state is not State.HELD:
        raise NotAllowedError(f"The referral is not in triage: it is {state.state}. {_way_back(state)}")
    if hub is None:
        return _by_person(state, _found_outside(state, reason, now), by, now)
    # nobody has seen the address: the person decided by what the form says
    verdict = ToHub(
        hub.hub_id,
        None,
        AssignmentMethod.MANUAL,
        1.0,
        confirm_at_call=True,
        explanation=f"Placed by a person: {reason}.",
    )
    return _by_person(state, _assign(state, verdict, now), by, now)


def reassign(state: Assignment, hub: Hub | None, reason: str, by: str, now: datetime) -> Step[Assignment]:
    """A person moves it to another hub, or (None) finds it out of area.

    Raises NotAllowedError unless it has a hub, and the other takes referrals.
    """
    if hub is not None:
        hub.must_take_referrals()
    if state.state is not State.ASSIGNED or not isinstance(state.verdict, ToHub):
        raise NotAllowedError(
            f"Only an assigned referral can move to another hub: it is {state.state}. {_way_back(state)}"
        )
    if hub is None:
        return _by_person(state, _found_outside(state, reason, now), by, now)
    if state.hub_id == hub.hub_id:
        raise NotAllowedError("The hub has the referral already.")
    verdict = replace(
        state.verdict,
        hub_id=hub.hub_id,
        because=None,
        method=AssignmentMethod.MANUAL,
        explanation=f"Moved by a person: {reason}.",
    )
    return _by_person(state, move(state, verdict, reason, now), by, now)


def undo(state: Assignment, by: str, times: TriageTimes, now: datetime) -> Step[Assignment]:
    """The last decision of a person was a slip: what held before holds again. Raises NotAllowedError.

    It also holds after intake has closed the referral because of that decision.
    """
    earlier = state.earlier
    if earlier is None or state.withdrawn or (state.state is State.ENDED and not _ended_outside(state)):
        raise NotAllowedError(
            f"There is no decision to undo: the referral is {state.state}. {_way_back(state)}"
        )
    if now > earlier.decided_at + UNDO_FOR:
        minutes = int(UNDO_FOR.total_seconds() // 60)
        raise NotAllowedError(f"A decision can be undone for {minutes} minutes. {_way_back(state)}")
    known = replace(state, decided_by=by, earlier=None)
    match earlier.verdict:
        case Hold() as verdict:
            return _hold(known, verdict, times, now)
        case ToHub() as verdict if state.state is State.ASSIGNED:
            return move(known, verdict, Reason.DECISION_UNDONE, now)
        case ToHub() as verdict:
            return _assign(known, verdict, now)
        case OutOfArea() as verdict:
            return _out(known, verdict, now)


def hand_over(state: Assignment, own: Hub, to: Hub, now: datetime) -> Step[Assignment]:
    """Its hub pauses and hands its open work over. What the hub does not have any more stays where it is."""
    if (
        state.state is not State.ASSIGNED
        or state.hub_id != own.hub_id
        or not isinstance(state.verdict, ToHub)
    ):
        return Step(state)
    verdict = replace(
        state.verdict,
        hub_id=to.hub_id,
        method=AssignmentMethod.MANUAL,
        because=str(Reason.HUB_HANDED_OVER),
        explanation=f"{own.name} is paused and handed its open work over; {to.name} took it."[:300],
    )
    return move(state, verdict, Reason.HUB_HANDED_OVER, now)


def decide_anew(
    state: Assignment, candidates: tuple[str, ...], by: str, times: TriageTimes, now: datetime
) -> Step[Assignment]:
    """A person finds that the referral is not out of area after all: it returns to triage. Raises NotAllowedError.

    `candidates`: the hubs to choose from, the likeliest first.
    """
    outside = isinstance(state.verdict, OutOfArea) and state.state in (State.OUT_OF_AREA, State.ENDED)
    if not outside or state.withdrawn:
        raise NotAllowedError(
            f"Only what was found out of area returns to triage: it is {state.state}. {_way_back(state)}"
        )
    known = replace(state, decided_by=by, earlier=None, held_at=None)
    return _hold(known, Hold(TriageReason.DECIDED_ANEW, candidates), times, now)


def _by_person(before: Assignment, step: Step[Assignment], by: str, now: datetime) -> Step[Assignment]:
    """The step, which a person decided and can undo."""
    earlier = Earlier(before.state, before.verdict, now) if before.verdict else None
    return Step(replace(step.state, decided_by=by, earlier=earlier), step.events, step.deadlines)


def _found_outside(state: Assignment, reason: str, now: datetime) -> Step[Assignment]:
    return _out(state, OutOfArea(None, f"Found out of area by a person: {reason}."), now)


def _ended_outside(state: Assignment) -> bool:
    return state.state is State.ENDED and isinstance(state.verdict, OutOfArea) and not state.withdrawn


def _way_back(state: Assignment) -> str:
    """What a person can do instead."""
    match state.state:
        case State.HELD:
            return "Decide about it in triage."
        case State.ASSIGNED:
            return "Move it to another hub, or out of area, by reassignment."
        case State.OUT_OF_AREA:
            return "Reopen it with a reason: it returns to triage."
        case State.ENDED if _ended_outside(state):
            return "Reopen it with a reason: it returns to triage."
        case State.ENDED:
            return "It is withdrawn or closed: hand in a new request at intake."
        case State.AWAITED:
            return "Intake has not sent it yet: try again in a moment."


def _settle(state: Assignment, verdict: Verdict, times: TriageTimes, now: datetime) -> Step[Assignment]:
    match verdict:
        case ToHub():
            return _assign(state, verdict, now)
        case OutOfArea():
            return _out(state, verdict, now)
        case Hold():
            return _hold(state, verdict, times, now)


def _assign(state: Assignment, verdict: ToHub, now: datetime) -> Step[Assignment]:
    new = replace(
        state,
        state=State.ASSIGNED,
        earlier=None,
        version=state.version + 1,
        verdict=verdict,
        triage_due_at=None,
        contact_due_at=state.contact_due_at or now,
    )
    return _step(state, new, ReferralAssigned(**_about(new, verdict, now)))


def move(state: Assignment, verdict: ToHub, reason: str, now: datetime) -> Step[Assignment]:
    """Another hub looks after it from now on."""
    previous = state.hub_id
    assert previous is not None  # noqa: S101 # only what has a hub can move to another one
    new = replace(state, version=state.version + 1, verdict=verdict, earlier=None)
    moved = ReferralReassigned(**_about(new, verdict, now), previous_hub_id=previous, reason=reason)
    return _step(state, new, moved)


def _out(state: Assignment, verdict: OutOfArea, now: datetime) -> Step[Assignment]:
    new = replace(
        state,
        state=State.OUT_OF_AREA,
        version=state.version + 1,
        verdict=verdict,
        triage_due_at=None,
        earlier=None,
    )
    out = ReferralOutOfArea(
        referral_id=new.referral_id,
        version=new.version,
        district_gss=verdict.district,
        explanation=verdict.explanation,
        needs=_known(new).needs,
        decided_at=now,
    )
    return _step(state, new, out)


def _hold(state: Assignment, verdict: Hold, times: TriageTimes, now: datetime) -> Step[Assignment]:
    facts = _known(state)
    due, held_at = times.due(facts.priority, now), state.held_at or now
    new = replace(
        state,
        state=State.HELD,
        earlier=None,
        version=state.version + 1,
        verdict=verdict,
        triage_due_at=due,
        held_at=held_at,
    )
    held = ReferralHeldForTriage(
        referral_id=new.referral_id,
        version=new.version,
        reason=verdict.reason,
        candidate_hubs=verdict.candidates,
        needs=facts.needs,
        priority=facts.priority,
        triage_due_at=due,
        held_at=held_at,
    )
    return _step(state, new, held)


def _step(before: Assignment, after: Assignment, *events: BaseModel) -> Step[Assignment]:
    """A step whose deadline follows the state. Only what waits for a person is late."""
    if after.state is not State.HELD and (after.late_since is not None or after.claimed_by is not None):
        after = replace(after, late_since=None, claimed_by=None, claim_expires_at=None)
    kept = before.triage_due_at == after.triage_due_at
    return Step(after, events, {} if kept else {TRIAGE_DUE: after.triage_due_at})


def _about(state: Assignment, verdict: ToHub, now: datetime) -> dict[str, Any]:
    """What both events say of a referral that has a hub."""
    facts = _known(state)
    return {
        "referral_id": state.referral_id,
        "version": state.version,
        "hub_id": verdict.hub_id,
        "ward": verdict.ward,
        "method": verdict.method,
        "confidence": verdict.confidence,
        "confirm_at_call": verdict.confirm_at_call,
        "explanation": verdict.explanation,
        "outreach": state.outreach,
        "priority": facts.priority,
        "needs": facts.needs,
        "household": facts.household,
        "diets": facts.diets,
        "flags": facts.flags,
        "sector": home.sector if isinstance(home := facts.home, Postcode) else None,
        "contact_due_at": state.contact_due_at or now,
        "assigned_at": now,
    }


def _known(state: Assignment) -> Facts:
    assert state.facts is not None  # noqa: S101 # only AWAITED and ENDED may lack them, and those publish nothing
    return state.facts


def _facts(event: ReferralReceived | ReferralAmended) -> Facts:
    return Facts(event.priority, event.postcode, event.household, event.needs, event.diets, event.flags)
