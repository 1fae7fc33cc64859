"""What happens to a parcel when something that it was made from changes: one rule for each fact and each state.

Each fact that a parcel copied, or that its driver needs, has a row. `RULES` is the table; the README shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import uuid5

from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    CalledNeed,
    CallNeedResult,
    Lane,
    ParcelStopped,
    ParcelWarned,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import Fact, Reason
from bdcan_foodhub.domain.contents import unsuitable
from bdcan_foodhub.domain.parcel import (
    FINAL,
    Parcel,
    State,
    cancel,
    come_back,
    fits_again,
    refill,
    request,
    reschedule,
    settle_warnings,
    stop,
    warn,
)
from bdcan_foodhub.domain.referral import Referral

EATEN_AFTER = timedelta(days=7)
"""Nobody is warned about food that was delivered longer ago."""


class Rule(StrEnum):
    """What a changed fact does to a parcel.

    follow: the parcel changes by itself. stop: it waits for a person's decision. warn: the hub tells the driver or the
    resident. leave: nothing is left to change.
    """

    FOLLOW = "follow"
    STOP = "stop"
    WARN = "warn"
    LEAVE = "leave"


_F, _S, _W, _L = Rule.FOLLOW, Rule.STOP, Rule.WARN, Rule.LEAVE


def _row(*rules: Rule) -> Mapping[State, Rule]:
    return MappingProxyType(dict(zip(State, rules, strict=True)))


RULES: Mapping[Fact, Mapping[State, Rule]] = MappingProxyType(
    {
        # requested, short, reserved, picking, packed, dispatched, delivered, cancelled
        Fact.DIETS: _row(_F, _F, _F, _S, _S, _W, _W, _L),
        Fact.HOUSEHOLD: _row(_F, _F, _F, _S, _S, _W, _L, _L),
        Fact.NEEDS: _row(_F, _F, _F, _S, _S, _W, _L, _L),
        Fact.PRIORITY: _row(_F, _F, _F, _F, _F, _F, _L, _L),
        Fact.FLAGS: _row(_F, _F, _F, _F, _F, _W, _L, _L),
        Fact.LANGUAGE: _row(_F, _F, _F, _F, _F, _W, _L, _L),
        Fact.PERSON: _row(_F, _F, _F, _F, _F, _W, _L, _L),
        Fact.ADDRESS: _row(_F, _F, _F, _F, _S, _W, _L, _L),
        Fact.CONSENT: _row(_S, _S, _S, _S, _S, _W, _L, _L),
    }
)
"""What happens to a parcel in each state when a fact changes. Picking and packing print the label from intake."""

_CONTENTS = frozenset({Fact.DIETS.value, Fact.HOUSEHOLD.value, Fact.NEEDS.value})


def follow(
    parcel: Parcel, referral: Referral, now: datetime, *, named: Sequence[str] = (), code: str | None = None
) -> Step[Parcel]:
    """Bring a parcel in line with what is known of its referral.

    `named`: what intake says that an amendment changed; some of it has no value here, such as the address. `code`: another
    need, found by a call. All that changed at once is one stop, or one warning.
    """
    steps: tuple[Callable[[Parcel], Step[Parcel]], ...] = (
        lambda one: reschedule(one, referral.priority or one.priority, now),
        lambda one: _follow_contents(one, referral, code or one.code, now),
        lambda one: _follow_flags(one, referral.flags, named, now),
        lambda one: _follow_named(one, named, now),
    )
    done = Step(parcel)
    for step in steps:
        more = step(done.state)
        done = Step(more.state, done.events + more.events, {**done.deadlines, **more.deadlines})
    return replace(done, events=_as_one(done.events))


def _as_one(events: Iterable[BaseModel]) -> tuple[BaseModel, ...]:
    """The events, with one stop and one warning for all facts."""
    rest: list[BaseModel] = []
    notices: dict[type[BaseModel], ParcelStopped | ParcelWarned] = {}
    for event in events:
        if not isinstance(event, ParcelStopped | ParcelWarned):
            rest.append(event)
        elif before := notices.get(type(event)):
            notices[type(event)] = before.model_copy(update={"facts": (*before.facts, *event.facts)})
        else:
            notices[type(event)] = event
    return (*rest, *notices.values())


def take_call(
    mine: Sequence[Parcel],
    referral: Referral,
    event: WelfareCallCompleted,
    need: CalledNeed,
    site_id: str,
    now: datetime,
) -> Step[Parcel] | None:
    """Apply a call's report of a need: request, change or cancel its parcel. None if it has no parcel and needs none.

    `mine`: the need's parcels so far, of which at most one is not cancelled. `referral` has heard the call already.
    """
    alive = next((parcel for parcel in mine if parcel.state is not State.CANCELLED), None)
    unwanted = not referral.wants(need.need_id) or need.result is CallNeedResult.DECLINED
    if unwanted or need.lane is not Lane.FOOD:
        return alive and cancel(alive, Reason.NEED_CHANGED_AT_CALL, now)
    if alive is None:
        return request(
            uuid5(need.need_id, f"parcel-{len(mine) + 1}" if mine else "parcel"),
            event.referral_id,
            need.need_id,
            need.code,
            referral.hub_id or event.hub_id,
            site_id,
            referral.priority or event.priority,
            referral.household,
            referral.diets,
            now,
            referral.flags,
        )
    return follow(alive, referral, now, code=need.code)


def bring_back(parcel: Parcel, reason: str, now: datetime) -> Step[Parcel]:
    """The delivery failed. A change that the driver was warned of on the way stops the parcel now that it is back."""
    back = come_back(parcel, reason, now)
    if parcel.departure is None or back.state.state is not State.PACKED:
        return back
    since = [n for n in parcel.notices if not n.stops and n.since >= parcel.departure.left_at]
    fits = parcel.fits and not parcel.undecided
    facts = tuple(
        fact.value
        for fact, rules in RULES.items()
        if rules[State.PACKED] is Rule.STOP
        and any(fact.value in n.facts for n in since)
        and not (fits and fact.value in _CONTENTS)
    )
    stopped = stop(settle_warnings(back.state, now), facts, now)
    return Step(stopped.state, back.events + stopped.events)


def _follow_contents(parcel: Parcel, referral: Referral, code: str, now: datetime) -> Step[Parcel]:
    household = referral.household or parcel.household
    diets = tuple(sorted(set(referral.diets) - set(parcel.decided) | set(parcel.added)))
    facts = tuple(
        fact.value
        for fact, changed in (
            (Fact.DIETS, diets != parcel.diets),
            (Fact.HOUSEHOLD, household != parcel.household),
            (Fact.NEEDS, code != parcel.code),
        )
        if changed
    )
    if not facts:
        return Step(parcel)
    rules = {RULES[Fact(fact)][parcel.state] for fact in facts}
    told = replace(parcel, code=code, household=household, diets=diets)
    if Rule.FOLLOW in rules:
        return refill(parcel, code, household, diets, now)
    if parcel.state is State.DELIVERED:
        harms = unsuitable(parcel.lines, diets) and now - parcel.changed_at < EATEN_AFTER
        return warn(told, facts, now) if Rule.WARN in rules and harms else Step(parcel)
    unknown = set(told.undecided) - set(parcel.undecided)
    if not unknown and told.fits:
        return fits_again(told, _CONTENTS, now)
    if Rule.STOP in rules:
        return stop(told, facts, now)
    return warn(told, facts, now) if Rule.WARN in rules else Step(parcel)


def _follow_flags(
    parcel: Parcel, flags: tuple[str, ...], named: Sequence[str], now: datetime
) -> Step[Parcel]:
    """The first amendment tells flags that foodhub did not know. They are news only if intake does not say what changed."""
    if parcel.flags == flags or parcel.state in FINAL:
        return Step(parcel)
    told = replace(parcel, flags=flags)
    return Step(told) if named else _follow_named(told, (Fact.FLAGS.value,), now)


def _follow_named(parcel: Parcel, named: Sequence[str], now: datetime) -> Step[Parcel]:
    """Facts whose value foodhub does not keep: only stop and warn are left to do."""
    kept = {Fact.DIETS, Fact.HOUSEHOLD, Fact.NEEDS, Fact.PRIORITY}
    by_rule: dict[Rule, tuple[str, ...]] = {}
    for fact in RULES:
        if fact.value in named and fact not in kept:
            rule = RULES[fact][parcel.state]
            by_rule[rule] = (*by_rule.get(rule, ()), fact.value)
    if facts := by_rule.get(Rule.STOP):
        return stop(parcel, facts, now)
    if facts := by_rule.get(Rule.WARN):
        return warn(parcel, facts, now)
    return Step(parcel)
