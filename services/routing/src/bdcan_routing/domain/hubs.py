"""Hubs: which wards each one covers, and which hubs take its new referrals while it is paused.

A change of a hub concerns new referrals only. No referral moves by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import HubConfigured, HubPaused, HubResumed, Ward
from bdcan_routing.domain.errors import (
    HubPausedError,
    NotAllowedError,
    StaleVersionError,
    UnknownPlacesError,
    VersionNeededError,
    WardsTakenError,
)
from bdcan_routing.domain.wards import WARDS


class Open(Struct, frozen=True):
    """A day of the week (1: Monday) on which a hub is open, from and until a local time such as `09:00`."""

    weekday: int
    opens: str
    closes: str


class Contacts(Struct, frozen=True):
    """How to reach a hub: the organisation's own telephone and e-mail, and nobody's own."""

    phone: str | None = None
    email: str | None = None


class Hub(Struct, frozen=True):
    """A locality hub. `wards` are in the order of their codes. `cover` are the hubs that take its new referrals while it is paused, in that order.

    `neighbours`: the hubs next to it, the nearest first. None: nobody has said so since there are neighbours.

    `capacity`: the most that it can be given in a local day, by kind (`calls`, or a need's code); a kind that is not there has
    no limit. `closed_at`: it has closed for good.

    `illustrative`: the hub came with the software and is no real hub.
    """

    hub_id: str
    name: str
    wards: tuple[Ward, ...]
    cover: tuple[str, ...]
    version: int
    configured_at: datetime
    pause_reason: str | None = None
    illustrative: bool = False
    neighbours: tuple[str, ...] | None = None
    capacity: Mapping[str, int] = {}
    hours: tuple[Open, ...] = ()
    contacts: Contacts | None = None
    closed_at: datetime | None = None

    @property
    def paused(self) -> bool:
        """Whether it takes no new referrals."""
        return self.pause_reason is not None

    def must_take_referrals(self) -> None:
        """Raise HubPausedError if it is paused."""
        if self.paused:
            raise HubPausedError(f"{self.name} is paused and takes no referrals.")


class HubPlan(Struct, frozen=True):
    """A hub as somebody wants it to be. What it does not say (None), a hub keeps."""

    hub_id: str
    name: str
    wards: tuple[Ward, ...]
    cover: tuple[str, ...] | None = None
    illustrative: bool = False
    neighbours: tuple[str, ...] | None = None
    capacity: Mapping[str, int] | None = None
    hours: tuple[Open, ...] | None = None
    contacts: Contacts | None = None


class Coverage(Struct, frozen=True, dict=True):
    """All hubs at one moment, by id and by ward."""

    by_id: Mapping[str, Hub]

    @classmethod
    def of(cls, hubs: Iterable[Hub]) -> Coverage:
        """From a list of hubs."""
        return cls({hub.hub_id: hub for hub in hubs})

    @cached_property
    def by_ward(self) -> Mapping[str, Hub]:
        """The hub of each covered ward."""
        return {ward.gss: hub for hub in self.by_id.values() for ward in hub.wards}

    @cached_property
    def open_ids(self) -> tuple[str, ...]:
        """Hubs that take referrals, in the order of their ids."""
        return tuple(sorted(hub.hub_id for hub in self.by_id.values() if not hub.paused))

    def for_ward(self, gss: str) -> tuple[Hub, Hub | None] | None:
        """The ward's own hub, and the hub that takes its referrals now (None: all cover is paused).

        None: no hub covers the ward.
        """
        own = self.by_ward.get(gss)
        if own is None:
            return None
        if not own.paused:
            return own, own
        for hub_id in own.cover:
            cover = self.by_id.get(hub_id)
            if cover is not None and not cover.paused:
                return own, cover
        return own, None

    def beside(self, hub: Hub) -> tuple[Hub, ...]:
        """The neighbours of a hub that take referrals, the nearest first."""
        near = hub.cover if hub.neighbours is None else hub.neighbours
        known = (self.by_id.get(hub_id) for hub_id in near)
        return tuple(one for one in known if one is not None and not one.paused)

    def candidates(self, wards: Iterable[str]) -> tuple[str, ...]:
        """Hubs that take referrals now, those of these wards first and in their order, each once."""
        likely = [pair[1].hub_id for gss in wards if (pair := self.for_ward(gss)) and pair[1]]
        return tuple(dict.fromkeys(likely)) or self.open_ids


def establish(plan: HubPlan, now: datetime) -> Step[Hub]:
    """Set up a new hub."""
    hub = Hub(
        plan.hub_id,
        plan.name,
        _each_once(plan.wards),
        plan.cover or (),
        version=1,
        configured_at=now,
        illustrative=plan.illustrative,
        neighbours=_neighbours(plan.neighbours, plan.cover or ()),
        capacity=plan.capacity or {},
        hours=plan.hours or (),
        contacts=plan.contacts,
    )
    return Step(hub, (HubConfigured(**_about(hub), configured_at=now),))


def configure(coverage: Coverage, plan: HubPlan, now: datetime, seen: int | None = None) -> Step[Hub]:
    """Add a hub or change it. A plan that the hub already follows changes nothing.

    `seen`: the version that the person who changes it has seen. Raises UnknownPlacesError for wards or hubs that do not
    exist, WardsTakenError for wards that another hub covers, VersionNeededError and StaleVersionError.
    """
    _must_exist(coverage, plan)
    _must_be_free(coverage, plan)
    before = coverage.by_id.get(plan.hub_id)
    if before is None:
        return establish(plan, now)
    cover = before.cover if plan.cover is None else plan.cover
    neighbours = before.neighbours if plan.neighbours is None else plan.neighbours
    wanted = replace(
        before,
        name=plan.name,
        wards=_each_once(plan.wards),
        cover=cover,
        neighbours=_neighbours(neighbours, cover),
        capacity=before.capacity if plan.capacity is None else plan.capacity,
        hours=before.hours if plan.hours is None else plan.hours,
        contacts=before.contacts if plan.contacts is None else plan.contacts,
    )
    if wanted == before:
        return Step(before)
    if before.closed_at is not None:
        raise NotAllowedError(f"{before.name} has closed for good. Set up another hub under another id.")
    _must_be_seen(before, seen)
    hub = replace(wanted, version=before.version + 1, configured_at=now, illustrative=False)
    return Step(hub, (HubConfigured(**_about(hub), configured_at=now),))


def meet_neighbours(hub: Hub, now: datetime) -> Step[Hub]:
    """A hub that was set up before there were neighbours: its cover are its neighbours until somebody says otherwise."""
    if hub.neighbours is not None:
        return Step(hub)
    met = replace(hub, version=hub.version + 1, configured_at=now, neighbours=_neighbours(None, hub.cover))
    return Step(met, (HubConfigured(**_about(met), configured_at=now),))


def pause(hub: Hub, reason: str, now: datetime) -> Step[Hub]:
    """New referrals go to the hub's cover from now on. Raises NotAllowedError if it is paused already."""
    if hub.paused:
        raise NotAllowedError(f"{hub.name} is paused already.")
    paused = replace(hub, version=hub.version + 1, configured_at=now, pause_reason=reason)
    return Step(paused, (HubPaused(**_about(paused), reason=reason, paused_at=now),))


def resume(hub: Hub, now: datetime) -> Step[Hub]:
    """It takes new referrals again. Raises NotAllowedError if it is not paused."""
    if not hub.paused:
        raise NotAllowedError(f"{hub.name} is not paused.")
    if hub.closed_at is not None:
        raise NotAllowedError(f"{hub.name} has closed for good. Set up another hub under another id.")
    resumed = replace(hub, version=hub.version + 1, configured_at=now, pause_reason=None)
    return Step(resumed, (HubResumed(**_about(resumed), resumed_at=now),))


def close(hub: Hub, reason: str, now: datetime) -> Step[Hub]:
    """Close the hub for good. Raises NotAllowedError if it is closed already, WardsTakenError while it covers wards."""
    if hub.closed_at is not None:
        raise NotAllowedError(f"{hub.name} has closed already.")
    if hub.wards:
        raise WardsTakenError(
            f"{hub.name} still covers {len(hub.wards)} wards, and their residents would have no hub."
            " Give the wards to other hubs first: POST /v1/wards/moves.",
            tuple(
                Problem(f"wards.{place}", "ward-covered", f"{ward.gss} would have no hub")
                for place, ward in enumerate(hub.wards)
            ),
        )
    closed = replace(
        hub,
        version=hub.version + 1,
        configured_at=now,
        pause_reason=hub.pause_reason or reason,
        closed_at=now,
    )
    return Step(closed, (HubPaused(**_about(closed), reason=reason, paused_at=now),))


def move_wards(coverage: Coverage, to: Mapping[str, str], now: datetime) -> list[Step[Hub]]:
    """Give wards to other hubs, all at once, so that no ward is without a hub or has two; `to`: hub by ward.

    Raises UnknownPlacesError for wards and hubs that do not exist or have closed.
    """
    problems = [
        Problem(f"moves.{place}.ward", "unknown-ward", "the borough has no such ward")
        for place, gss in enumerate(to)
        if gss not in WARDS
    ] + [
        Problem(f"moves.{place}.hub_id", "unknown-hub", "there is no such hub, or it has closed")
        for place, hub_id in enumerate(to.values())
        if hub_id not in coverage.by_id or coverage.by_id[hub_id].closed_at is not None
    ]
    if problems:
        raise UnknownPlacesError("Some wards or hubs do not exist.", tuple(problems))
    steps = []
    for hub in coverage.by_id.values():
        kept = [ward for ward in hub.wards if to.get(ward.gss, hub.hub_id) == hub.hub_id]
        wards = _each_once([*kept, *(WARDS[gss] for gss, hub_id in to.items() if hub_id == hub.hub_id)])
        if wards != hub.wards:
            changed = replace(
                hub, wards=wards, version=hub.version + 1, configured_at=now, illustrative=False
            )
            steps.append(Step(changed, (HubConfigured(**_about(changed), configured_at=now),)))
    return steps


def _must_be_seen(hub: Hub, seen: int | None) -> None:
    if seen is None:
        raise VersionNeededError(
            f"Say which version of {hub.name} you change: read GET /v1/hubs, and repeat with"
            f' "version": {hub.version} if it is what you expect.'
        )
    if seen != hub.version:
        raise StaleVersionError(
            f"Somebody changed {hub.name} while you were typing: it has version {hub.version}, and you saw {seen}."
            " Read it again and repeat."
        )


def _each_once(wards: Iterable[Ward]) -> tuple[Ward, ...]:
    """The wards in the order of their codes."""
    return tuple(WARDS[gss] for gss in sorted({ward.gss for ward in wards}))


def _neighbours(said: tuple[str, ...] | None, cover: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, in their order. By default those that step in for it."""
    return tuple(dict.fromkeys(cover if said is None else said))


def _about(hub: Hub) -> dict[str, Any]:
    """What every event of a hub says."""
    return {
        "hub_id": hub.hub_id,
        "version": hub.version,
        "name": hub.name,
        "wards": hub.wards,
        "paused": hub.paused,
        "neighbours": hub.neighbours or (),
    }


def _must_exist(coverage: Coverage, plan: HubPlan) -> None:
    problems = [
        Problem(f"wards.{place}", "unknown-ward", "the borough has no such ward with boundaries of that year")
        for place, ward in enumerate(plan.wards)
        if WARDS.get(ward.gss) != ward
    ]
    problems += [
        Problem(f"{field}.{place}", "unknown-hub", "there is no such other hub")
        for field, others in (("cover", plan.cover), ("neighbours", plan.neighbours))
        for place, other in enumerate(others or ())
        if other == plan.hub_id or other not in coverage.by_id
    ]
    if problems:
        raise UnknownPlacesError("Some wards or hubs do not exist.", tuple(problems))


def _must_be_free(coverage: Coverage, plan: HubPlan) -> None:
    problems = [
        Problem(f"wards.{place}", "ward-taken", f"{owner.hub_id} covers it: take it from that hub first")
        for place, ward in enumerate(plan.wards)
        if (owner := coverage.by_ward.get(ward.gss)) and owner.hub_id != plan.hub_id
    ]
    if problems:
        raise WardsTakenError(f"Other hubs cover {len(problems)} of these wards.", tuple(problems))
