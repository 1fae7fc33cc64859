"""One fault run: start, load, injure, heal, settle, judge, print."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bdcan_local.settings import read_settings
from bdcan_reconcile.council import read_cases
from bdcan_simulator.audit import Facts, gather_facts
from bdcan_simulator.borough import Borough
from bdcan_simulator.client import Client, ServiceError, open_client
from bdcan_simulator.endpoints import Endpoints, read_endpoints
from bdcan_simulator.erasures import who_asks
from bdcan_simulator.identity import Identities
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.play import Ending, Play
from bdcan_simulator.postcodes import postcodes
from bdcan_simulator.report import Effort, Report, ended, make_report

from .evidence import LATE, Evidence, Sent, databases, read_records, read_rows, read_stores
from .faults import Faults
from .invariants import judge
from .network import toxiproxy
from .planted import Planted, values
from .scan import in_system, remains
from .schedule import NETWORK, Fault, plan
from .system import Injured, injured
from .watch import Log, Progress, memory_table, recovered, recovery_table, strike_all

_SETTLE_SECONDS = 300.0
_STILL_SECONDS = 240.0
"""Longer than any fault with its recovery on a slow machine: until then the play does not give up."""

_STILL_MOVING_SECONDS = 90.0
_SHOWN = 5
_MOST_ERASURES = 20
_ERASURES_SHARE = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """What to do. `directory`: data, logs and what was found; `referrals` come evenly over `seconds`."""

    seed: int
    seconds: float
    referrals: int
    directory: Path

    @property
    def again(self) -> str:
        """The command that does the same again."""
        return f"make resilience SECONDS={self.seconds:g} SEED={self.seed} REFERRALS={self.referrals}"


@dataclass
class Done:
    """A run that has come to its end, on a system that is still there to be looked at."""

    run: Run
    system: Injured
    faults: list[Fault]
    evidence: Evidence
    offences: dict[str, list[str]]

    @property
    def passed(self) -> bool:
        """Whether every invariant holds."""
        return not any(self.offences.values())


async def resilience(run: Run, say: Say) -> int:
    """Do a run, print it, return the exit code: 0 if all invariants hold, else 1."""
    async with done(run, say) as result:
        return 0 if result.passed else 1


@asynccontextmanager
async def done(run: Run, say: Say) -> AsyncIterator[Done]:
    """Do a run and print it; the system is healed and still running inside the block, and stopped after it."""
    program = await asyncio.to_thread(toxiproxy)
    faults = plan(run.seed, run.seconds)
    if program is None:
        left_out = sum(fault.kind in NETWORK for fault in faults)
        faults = [fault for fault in faults if fault.kind not in NETWORK]
        say(f"toxiproxy and Go are not installed: {left_out} faults of the network are LEFT OUT")
    say(f"seed {run.seed}, {run.seconds:g} s, {run.referrals} referrals, {len(faults)} faults")
    async with injured(run.directory, read_settings(), program, say) as system:
        result = await _play(run, system, faults, say)
        say("")
        for name, offences in result.offences.items():
            say(f"{'BROKEN' if offences else 'OK':7} {name}" + (f" ({len(offences)})" if offences else ""))
            for offence in offences[:_SHOWN]:
                say(f"          {offence}")
        say("")
        say(f"{'PASSED' if result.passed else 'FAILED'}   again: {run.again}")
        yield result


async def _play(run: Run, system: Injured, faults: list[Fault], say: Say) -> Done:
    endpoints = read_endpoints(system.system.data.parent / "run" / "endpoints.json")
    erasures = min(_MOST_ERASURES, int(run.referrals * _ERASURES_SHARE))
    asking = who_asks(Borough(run.seed, postcodes(None)).residents(run.referrals), erasures)
    borough = Planted(run.seed, postcodes(None), frozenset(asking))
    ledger = Ledger(run=f"r{int(time.time()):x}")
    hand = Faults(system)
    memory = system.memory()
    async with open_client(endpoints.apis, Identities.of(endpoints)) as client:
        progress = Progress(say)
        play = Play(
            endpoints,
            client,
            borough,
            run.referrals,
            ledger,
            progress.watch,
            spread_seconds=run.seconds,
            still_seconds=_STILL_SECONDS,
            erasures=erasures,
        )
        log = Log(run.directory / "faults.jsonl", say)
        progress.phase("load under faults")
        absent: list[str] = []

        async def injure() -> None:
            await strike_all(faults, hand, system, log)
            absent.extend(await _not_back(system, log))

        async with asyncio.TaskGroup() as group:
            group.create_task(injure())
            group.create_task(progress.phase_after(run.seconds, "after the last fault"))
            limit = run.seconds + _SETTLE_SECONDS + run.referrals / 10
            playing = group.create_task(_to_its_end(play, limit, absent))
        ending = playing.result()
        progress.phase("")
        effort = Effort(
            seconds=log.seconds,
            cpu_seconds=time.process_time(),
            requests_by_route=dict(client.by_route),
            tried_again=dict(client.tried_again),
            answers_4xx=dict(client.refusals),
            broken=dict(client.broken),
        )
        evidence = await _gather(run, system, client, play, endpoints, ending, effort, faults, hand, absent)
    for table in (
        recovery_table(log.struck),
        progress.table(),
        _erased(ledger, evidence),
        memory_table(memory, system.memory()),
    ):
        say("")
        for line in table:
            say(line)
    return Done(run, system, faults, evidence, judge(evidence))


def _erased(ledger: Ledger, evidence: Evidence) -> list[str]:
    """How many were erased, asked when, and what a scan found of them."""
    moments = ", ".join(
        f"{n} {moment}" for moment, n in Counter(one.moment.value for one in ledger.met).items()
    )
    where = Counter(trace.place.partition(":")[0] for trace in evidence.traces if remains(trace))
    return [
        f"{len(ledger.met)} of {len(ledger.erasures)} residents are erased, who asked {moments}",
        f"{len(_looked_for(ledger))} values of theirs were looked for in tables, topics, metrics and files; found as docs/privacy.md says:",
        *(f"  {count} in {place}" for place, count in sorted(where.items())),
    ]


def _looked_for(ledger: Ledger) -> list[str]:
    """The values of all who are erased, with the references of their requests."""
    return [
        value
        for (source, reference), erasure in ledger.erasures.items()
        if erasure.is_done
        for value in (*values(ledger.submissions[source, reference].resident), reference)
    ]


async def _to_its_end(play: Play, seconds: float, absent: list[str]) -> Ending:
    """Play; a service that refuses what it must not refuse ends it, and is noted."""
    ending = Ending.STILL
    try:
        ending = await play.run(seconds)
    except* ServiceError as group:
        absent.extend(f"the play could not go on: {error}" for error in _leaves(group))
    return ending


def _leaves(group: BaseExceptionGroup[ServiceError]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _not_back(system: Injured, log: Log) -> list[str]:
    """What did not come back after the faults."""
    found = [f"{name} is stopped" for name in system.stopped()]
    await recovered(system, system.names)
    ready = await system.ready_ones(system.names)
    found += [f"{name} is not ready" for name in system.names if name not in ready]
    return found + [
        f"{one.fault.kind.value} of {one.fault.victim} at {one.began:.0f} s: not ready again in time"
        for one in log.struck
        if one.recovered is None
    ]


async def _gather(
    run: Run,
    system: Injured,
    client: Client,
    play: Play,
    endpoints: Endpoints,
    ending: Ending,
    effort: Effort,
    faults: list[Fault],
    hand: Faults,
    absent: list[str],
) -> Evidence:
    await _come_to_rest(system, endpoints)
    ledger = play.ledger
    facts = await gather_facts(client, ledger)
    await play.inbound.read_ends(ended(ledger, facts))
    now = endpoints.clock.now()
    report = make_report(ledger, facts, seed=run.seed, ending=ending, effort=effort, now=now)
    (run.directory / "report.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    async with databases(system.system) as connections:
        rows = await read_rows(connections)
        key = system.system.secrets.get("council-api-key")
        stores = await read_stores(connections, now, await read_cases(system.system.url("council"), key))
    unclean = [
        f"SIGTERM: {name} " + ("did not end" if code is None else f"ended with {code}")
        for name, code in hand.exits
        if code != 0
    ]
    return Evidence(
        now=now,
        sent=Sent(
            frozenset(ledger.submissions),
            frozenset(bad.reference for bad in ledger.bad if bad.reference),
            ledger.done,
            {UUID(referral_id): key for referral_id, key in ledger.erased.items()},
        ),
        verdict=_verdict(report, facts),
        rows=rows,
        records=await read_records(system.system),
        stores=stores,
        unclean=tuple(unclean),
        absent=tuple(absent),
        unerased=tuple(
            f"{source} {reference}: asked to be erased {erasure.moment}, and is not: {erasure.receipt.get('missing')}"
            for (source, reference), erasure in ledger.erasures.items()
            if not erasure.is_done
        ),
        traces=tuple(await in_system(_looked_for(ledger), system.system)),
    )


async def _come_to_rest(system: Injured, endpoints: Endpoints) -> None:
    """Wait until what is under way has arrived: no unsent event, no due deadline, nobody to erase, and every inbox stands still."""
    end, before = time.monotonic() + _STILL_MOVING_SECONDS, None
    async with databases(system.system) as connections:
        while time.monotonic() < end:
            figures = [
                tuple(await connection.fetchrow(_UNDER_WAY, endpoints.clock.now() - LATE) or ())
                for connection in connections.values()
            ]
            if figures == before and not any(outbox or due for outbox, due, _ in figures):
                return
            before = figures
            await asyncio.sleep(1.5)


def _verdict(report: Report, facts: Facts) -> tuple[str, ...]:
    """What the simulator's report finds wrong, in words."""
    found = [*report.lost_what, *report.effects_twice_what, *report.parked_what]
    found += [
        f"{route}: answered 500 again and again, {count} times" for route, count in report.broken.items()
    ]
    found += [f"{bad.door}: {bad.what} was never answered" for bad in report.refused if not bad.answer]
    if report.ending is not Ending.SETTLED:
        found.append(f"the play ended {report.ending.value}")
        found += [
            f"unsettled {who}: {' / '.join(story[-4:])}" for who, story in report.unsettled_stories.items()
        ]
    if report.without_owner_or_deadline:
        found.append(f"{report.without_owner_or_deadline} without an owner or a deadline")
    if report.by_kafka.ends_missing or report.by_kafka.ends_twice:
        found.append(
            f"senders: {report.by_kafka.ends_missing} ends were not told, {report.by_kafka.ends_twice} twice"
        )
    if not report.stock_balanced:
        found.append("the foodhub says that its stock does not balance")
    if not report.passed and not found:
        found.append("the report did not pass")
    return tuple(found)


_UNDER_WAY = """
SELECT (SELECT count(*) FROM chassis.outbox),
    (SELECT count(*) FROM chassis.deadline WHERE due_at < $1 OR kind = 'erasure'),
    (SELECT count(*) FROM chassis.inbox)
"""
