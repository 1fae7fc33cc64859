"""The play: everybody at work at once, until each request for help is settled or waits for its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bdcan_simulator import bulk_lists, front_door
from bdcan_simulator.borough import SYSTEMS, Borough
from bdcan_simulator.callers import Callers
from bdcan_simulator.changes import Changes
from bdcan_simulator.checks import Checks
from bdcan_simulator.client import Client, RefusedError
from bdcan_simulator.coordinators import Coordinators, hub_ids
from bdcan_simulator.directory import READER, Directory
from bdcan_simulator.doorstep import Doorstep
from bdcan_simulator.endpoints import Endpoints
from bdcan_simulator.erasures import Erasures, who_asks
from bdcan_simulator.inbound_topic import InboundTopic
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.pace import Pace
from bdcan_simulator.paging import every
from bdcan_simulator.pickers import Pickers
from bdcan_simulator.volunteers import how_many, volunteers

SITES = ("central",)
"""Food sites that get a delivery in the morning; any other gets one as soon as a parcel is short there."""

_LOOK_EVERY_SECONDS = 1.0
_OPEN_STATES = ("received", "assigned", "in-contact", "being-helped")


class Ending(StrEnum):
    """How the play ended."""

    SETTLED = "settled"
    """Whatever is open waits for a time that lies ahead."""
    STILL = "still"
    """Nothing moved for a long time, although something should have."""
    OUT_OF_TIME = "out-of-time"


@dataclass(frozen=True, slots=True)
class Stages:
    """How many referrals have come at least so far. Counted by intake, but for the first."""

    expected: int
    submitted: int = 0
    received: int = 0
    assigned: int = 0
    called: int = 0
    helped: int = 0
    closed: int = 0


@dataclass
class Play:
    """One run against one system. `watch` is shown the stages whenever they were looked at.

    `spread_seconds`: real time over which the submissions go in; all at once with 0. `still_seconds`: the play gives
    up after so long without progress, however slow the machine is. `erasures`: how many residents ask to be erased.
    """

    endpoints: Endpoints
    client: Client
    borough: Borough
    referrals: int
    ledger: Ledger
    watch: Callable[[Stages], None]
    spread_seconds: float = 0.0
    still_seconds: float = 90.0
    erasures: int = 0
    inbound: InboundTopic = field(init=False)
    hubs: tuple[str, ...] = ()
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _submitted: bool = False

    def __post_init__(self) -> None:
        self.inbound = InboundTopic(self.endpoints, self.ledger)
        residents = list(self.borough.residents(self.referrals))
        self.ledger.enter(residents, who_asks(residents, self.erasures))

    async def run(self, seconds: float | None = None) -> Ending:
        """Play until all is settled or nothing moves; for so many seconds at most, if any are given."""
        try:
            async with asyncio.timeout(seconds):
                return await self._run()
        except TimeoutError:
            return Ending.OUT_OF_TIME

    async def _run(self) -> Ending:
        self.hubs = await hub_ids(self.client)
        before = await self._summary()
        directory = Directory(self.client, self.ledger)
        clock = self.endpoints.clock
        coordinators = Coordinators(self.client, self.ledger, directory, self.hubs, self.borough.seed, clock)
        helpers = tuple(volunteers(self.borough.seed, how_many(self.referrals), self.hubs))
        async with asyncio.TaskGroup() as people:
            watcher = people.create_task(self._watch(before))
            for work in (
                self._submit(),
                self.inbound.follow(self._over),
                coordinators.sign_up(helpers, self._over),
                coordinators.decide_triage(self._over),
                coordinators.decide_reviews(self._over),
                coordinators.find_more_volunteers(self._over),
                Callers(self.client, self.ledger, directory, clock).work(self.hubs, self._over),
                Changes(self.client, self.ledger).work(self._over),
                Checks(self.client, self.ledger, clock).work(self._over),
                Erasures(self.client, self.ledger, self._settled).work(self._over),
                Doorstep(self.client, self.ledger, clock).work(self._over),
                Pickers(self.client, self.ledger, self.referrals).work(SITES, self._over),
            ):
                people.create_task(work)
        return watcher.result()

    async def submit(self, seconds: float | None = None) -> None:
        """Hand everything in, and wait for the receipts; for so many seconds at most, if any are given (TimeoutError)."""
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as people:
            people.create_task(self.inbound.read_receipts(self._over))
            people.create_task(self._submit())

    async def _submit(self) -> None:
        pace = Pace(self.spread_seconds)
        async with asyncio.TaskGroup() as systems:
            systems.create_task(front_door.submit_all(self.client, self.ledger, pace))
            systems.create_task(bulk_lists.upload_all(self.client, self.ledger, pace))
            systems.create_task(self.inbound.submit_all(pace))
        self._submitted = True
        await front_door.withdraw_some(self.client, self.ledger)

    async def _watch(self, before: dict[str, Any]) -> Ending:
        """Look at intake's figures until nothing is left to do; they include what was there before the play."""
        seen, since = None, time.monotonic()
        while True:
            summary = await self._summary()
            stages = self._stages(before, summary)
            self.watch(stages)
            submitted = self._submitted and not self.inbound.awaits_receipts
            books = (summary["by_state"], summary["needs_by_state"], self.ledger.progress())
            if submitted and (stages.closed >= self.referrals or books == seen) and await self._all_wait():
                self._settled.set()
                if all(erasure.is_done for erasure in self.ledger.erasures.values()):
                    ending = Ending.SETTLED
                    break
            if books != seen:
                seen, since = books, time.monotonic()
            elif time.monotonic() - since > self.still_seconds:
                ending = Ending.STILL
                break
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        self._over.set()
        return ending

    async def _all_wait(self) -> bool:
        """Whether each open referral waits for a later hour: because nobody answered, or with another one that shares the call."""
        now = self.endpoints.clock.now()
        links: dict[str, set[str]] = {}
        for system in SYSTEMS:
            for state in _OPEN_STATES:
                async for item in every(
                    self.client, READER, "intake", "/v1/referrals", source=system.name, state=state
                ):
                    if self.ledger.key_of(system.name, item.get("reference"), item["referral_id"]):
                        links[item["referral_id"]] = {*item["same_person_ids"], *item["same_household_ids"]}
        wait = {one for one in links if one in self.ledger.waiting and self.ledger.waiting[one] > now}
        while more := {one for one, linked in links.items() if one not in wait and linked & wait}:
            wait |= more
        return wait == links.keys()

    async def _summary(self) -> dict[str, Any]:
        answer = await self.client.get(READER, "intake", "/v1/summary")
        if not answer.ok:
            raise RefusedError(f"GET intake /v1/summary: {answer.problem}")
        return answer.json()

    def _stages(self, before: dict[str, Any], summary: dict[str, Any]) -> Stages:
        new = {
            state: count - before["by_state"].get(state, 0) for state, count in summary["by_state"].items()
        }
        closed = new.get("closed", 0)
        helped = closed + new.get("being-helped", 0)
        called = helped + new.get("in-contact", 0)
        assigned = called + new.get("assigned", 0)
        return Stages(
            expected=self.referrals,
            submitted=self.ledger.acknowledged,
            received=assigned + new.get("received", 0),
            assigned=assigned,
            called=called,
            helped=helped,
            closed=closed,
        )
