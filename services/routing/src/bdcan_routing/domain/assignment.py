"""The assignment of one referral: placed with a hub, held for a person, out of area, or ended.

Each function takes the state (None: never heard of) and what happened, and returns the new state with the events to
publish. Events of a referral may come in any order: what was amended before it was received waits in the state
`AWAITED`, and what has ended stays ended until a need turns up. `version` counts what was published, `amendment` is the
referral's version last seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import (
    AssignmentMethod,
    Diet,
    Flag,
    Household,
    Need,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReceived,
    ReferralReopened,
    TriageReason,
)
from bdcan_contracts.typed import GivenPostcode, read_postcode
from bdcan_routing.domain.gazetteer import OutOfArea
from bdcan_routing.domain.placement import Hold, Placer, ToHub, Verdict

Published = ReferralAssigned | ReferralReassigned | ReferralHeldForTriage | ReferralOutOfArea


class NotAllowedError(Exception):
    """The assignment's state does not allow it; the message says why."""

    code = "not-allowed"


class State(StrEnum):
    """Where a referral stands with routing. Held is the one state that waits for a person, and has a deadline."""

    AWAITED = "awaited"
    HELD = "held"
    ASSIGNED = "assigned"
    OUT_OF_AREA = "out-of-area"
    ENDED = "ended"


class TriageTimes(Struct, frozen=True):
    """How long a referral may wait for a person before it is asked for again."""

    urgent: timedelta = timedelta(minutes=30)
    usual: timedelta = timedelta(hours=4)

    def due(self, priority: Priority, now: datetime) -> datetime:
        """When a person must have placed it."""
        return now + (self.urgent if priority is Priority.URGENT else self.usual)


class Facts(Struct, frozen=True):
    """What the next step needs to know of a referral, as it was last told."""

    priority: Priority
    postcode: str | None
    household: Household | None
    needs: tuple[Need, ...]
    diets: tuple[Diet, ...]
    flags: tuple[Flag, ...]

    @property
    def home(self) -> GivenPostcode:
        """The postcode, read."""
        return read_postcode(self.postcode)


class Assignment(Struct, frozen=True):
    """One referral, as routing knows it."""

    referral_id: UUID
    state: State
    version: int = 0
    amendment: int = 0
    outreach: bool = False
    contact_due_at: datetime | None = None
    facts: Facts | None = None
    verdict: Verdict | None = None
    triage_due_at: datetime | None = None
    held_at: datetime | None = None
    decided_by: str | None = None

    @property
    def hub_id(self) -> str | None:
        """The hub that looks after it, if one does."""
        return self.verdict.hub_id if isinstance(self.verdict, ToHub) else None


Step = tuple[Assignment, list[Published]]


def received(
    state: Assignment | None, event: ReferralReceived, placer: Placer, times: TriageTimes, now: datetime
) -> Step:
    """A referral came in. An amendment that overtook it knows better."""
    if state is not None and state.state is not State.AWAITED:
        return replace(state, outreach=event.outreach), []
    facts = _facts(event) if state is None or state.facts is None else state.facts
    known = Assignment(
        event.referral_id,
        State.AWAITED,
        amendment=0 if state is None else state.amendment,
        outreach=event.outreach,
        contact_due_at=event.contact_due_at,
        facts=facts,
    )
    return _settle(known, placer.place(facts.home), times, now)


def amended(
    state: Assignment | None, event: ReferralAmended, placer: Placer, times: TriageTimes, now: datetime
) -> Step:
    """What is known of it changed. It moves only when its new postcode certainly leads elsewhere."""
    if state is None:
        awaited = Assignment(event.referral_id, State.AWAITED, amendment=event.version, facts=_facts(event))
        return awaited, []
    if state.state is State.ENDED or event.version <= state.amendment:
        return state, []
    moved_home = state.facts is None or event.postcode != state.facts.postcode
    known = replace(state, amendment=event.version, facts=_facts(event))
    if state.state is State.AWAITED or not moved_home:
        return known, []
    verdict = placer.place(read_postcode(event.postcode))
    match state.state, verdict:
        case State.ASSIGNED, ToHub(hub_id=hub_id) if hub_id == state.hub_id:
            return replace(known, verdict=verdict), []
        case State.ASSIGNED, ToHub(confirm_at_call=False):
            return _move(known, verdict, "address-changed", now)
        case State.ASSIGNED, OutOfArea():
            return _settle(known, verdict, times, now)
        case State.ASSIGNED, _:
            return known, []
        case State.OUT_OF_AREA, OutOfArea() if verdict == state.verdict:
            return known, []  # open again, its postcode was forgotten: this is the one it had
        case _:
            return _settle(known, verdict, times, now)


def ended(state: Assignment | None, referral_id: UUID) -> Assignment:
    """Withdrawn or closed: nothing is left to place, and nothing about the home is kept."""
    known = state or Assignment(referral_id, State.ENDED)
    facts = replace(known.facts, postcode=None) if known.facts else None
    return replace(known, state=State.ENDED, facts=facts, triage_due_at=None)


def reopened(state: Assignment, event: ReferralReopened, times: TriageTimes, now: datetime) -> Step:
    """A need turned up after the end: it stands again where it stood, with its hub, out of area, or with a person.

    The postcode is gone, and is known again when somebody amends the referral.
    """
    if state.state is not State.ENDED or state.facts is None:
        return state, []
    known = replace(state, facts=replace(state.facts, priority=event.priority, needs=event.needs))
    match state.verdict:
        case ToHub():
            return replace(known, state=State.ASSIGNED), []
        case OutOfArea():
            return replace(known, state=State.OUT_OF_AREA), []
        case Hold() as verdict:
            return _hold(known, verdict, times, now)
        case None:
            return state, []


def still_waiting(state: Assignment | None, times: TriageTimes, now: datetime) -> Step | None:
    """The triage deadline has come. None if a person has decided meanwhile; otherwise it is asked for again."""
    if state is None or state.state is not State.HELD or not isinstance(state.verdict, Hold):
        return None
    return _hold(state, state.verdict, times, now)


def tried_again(state: Assignment, placer: Placer, times: TriageTimes, now: datetime) -> Step:
    """Hubs or postcodes changed: whoever waits for a person may be placed by rule now."""
    facts = _known(state)
    if state.state is not State.HELD:
        return state, []
    verdict = placer.place(facts.home)
    if isinstance(verdict, Hold):
        return state, []
    return _settle(state, verdict, times, now)


def decided(state: Assignment, hub_id: str | None, reason: str, by: str, now: datetime) -> Step:
    """A person places it with a hub, or (None) finds it out of area. Raises NotAllowedError unless it is held."""
    if state.state is not State.HELD:
        raise NotAllowedError(f"The referral is not in triage: it is {state.state}.")
    known = replace(state, decided_by=by)
    if hub_id is None:
        return _out(known, OutOfArea(None, f"Found out of area by a person: {reason}."), now)
    # nobody has seen the address yet: the person decided by what the form did say
    verdict = ToHub(
        hub_id,
        None,
        AssignmentMethod.MANUAL,
        1.0,
        confirm_at_call=True,
        explanation=f"Placed by a person: {reason}.",
    )
    return _assign(known, verdict, now)


def reassigned(state: Assignment, hub_id: str, reason: str, by: str, now: datetime) -> Step:
    """A person moves it to another hub. Raises NotAllowedError unless another hub has it now."""
    if state.state is not State.ASSIGNED or not isinstance(state.verdict, ToHub):
        raise NotAllowedError(f"Only an assigned referral can move to another hub: it is {state.state}.")
    if state.hub_id == hub_id:
        raise NotAllowedError("The hub has the referral already.")
    verdict = replace(
        state.verdict,
        hub_id=hub_id,
        method=AssignmentMethod.MANUAL,
        explanation=f"Moved by a person: {reason}.",
    )
    return _move(replace(state, decided_by=by), verdict, reason, now)


def _settle(state: Assignment, verdict: Verdict, times: TriageTimes, now: datetime) -> Step:
    match verdict:
        case ToHub():
            return _assign(state, verdict, now)
        case OutOfArea():
            return _out(state, verdict, now)
        case Hold():
            return _hold(state, verdict, times, now)


def _assign(state: Assignment, verdict: ToHub, now: datetime) -> Step:
    facts = _known(state)
    new = replace(
        state,
        state=State.ASSIGNED,
        version=state.version + 1,
        verdict=verdict,
        triage_due_at=None,
        contact_due_at=state.contact_due_at or now,
    )
    return new, [
        ReferralAssigned(
            referral_id=new.referral_id,
            version=new.version,
            hub_id=verdict.hub_id,
            ward=verdict.ward,
            method=verdict.method,
            confidence=verdict.confidence,
            confirm_at_call=verdict.confirm_at_call,
            explanation=verdict.explanation,
            outreach=new.outreach,
            priority=facts.priority,
            needs=facts.needs,
            household=facts.household,
            diets=facts.diets,
            flags=facts.flags,
            contact_due_at=new.contact_due_at or now,
            assigned_at=now,
        )
    ]


def _move(state: Assignment, verdict: ToHub, reason: str, now: datetime) -> Step:
    facts = _known(state)
    previous = state.hub_id
    assert previous is not None  # noqa: S101 # only what has a hub can move to another one
    new = replace(state, version=state.version + 1, verdict=verdict)
    return new, [
        ReferralReassigned(
            referral_id=new.referral_id,
            version=new.version,
            hub_id=verdict.hub_id,
            ward=verdict.ward,
            method=verdict.method,
            confidence=verdict.confidence,
            confirm_at_call=verdict.confirm_at_call,
            explanation=verdict.explanation,
            outreach=new.outreach,
            priority=facts.priority,
            needs=facts.needs,
            household=facts.household,
            diets=facts.diets,
            flags=facts.flags,
            contact_due_at=new.contact_due_at or now,
            previous_hub_id=previous,
            reason=reason,
            assigned_at=now,
        )
    ]


def _out(state: Assignment, verdict: OutOfArea, now: datetime) -> Step:
    facts = _known(state)
    new = replace(
        state, state=State.OUT_OF_AREA, version=state.version + 1, verdict=verdict, triage_due_at=None
    )
    return new, [
        ReferralOutOfArea(
            referral_id=new.referral_id,
            version=new.version,
            district_gss=verdict.district,
            explanation=verdict.explanation,
            needs=facts.needs,
            decided_at=now,
        )
    ]


def _hold(state: Assignment, verdict: Hold, times: TriageTimes, now: datetime) -> Step:
    facts = _known(state)
    due = times.due(facts.priority, now)
    new = replace(
        state,
        state=State.HELD,
        version=state.version + 1,
        verdict=verdict,
        triage_due_at=due,
        held_at=state.held_at or now,
    )
    return new, [
        ReferralHeldForTriage(
            referral_id=new.referral_id,
            version=new.version,
            reason=verdict.reason,
            candidate_hubs=verdict.candidates,
            needs=facts.needs,
            priority=facts.priority,
            triage_due_at=due,
            held_at=new.held_at or now,
        )
    ]


def _known(state: Assignment) -> Facts:
    assert state.facts is not None  # noqa: S101 # only AWAITED and ENDED may lack them, and those publish nothing
    return state.facts


def _facts(event: ReferralReceived | ReferralAmended) -> Facts:
    return Facts(event.priority, event.postcode, event.household, event.needs, event.diets, event.flags)


RETRIED = frozenset({TriageReason.NO_HUB_FOR_WARD, TriageReason.UNKNOWN_POSTCODE})
"""Why a referral may be held that a change of hubs or of the postcode table can cure."""
