"""The two verbs that play: `demo` sees every request through and reports, `load` only hands requests in."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from rich.console import Console

from bdcan_simulator.audit import gather_facts
from bdcan_simulator.borough import Borough
from bdcan_simulator.client import open_client
from bdcan_simulator.closing import print_report
from bdcan_simulator.endpoints import read_endpoints
from bdcan_simulator.identity import Identities
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.play import Play, Stages
from bdcan_simulator.postcodes import postcodes
from bdcan_simulator.progress import shown
from bdcan_simulator.report import Effort, ended, make_report
from bdcan_simulator.settings import Settings

_SILENT_SECONDS = 120
_ERASED_SHARE = 0.01
_MOST_ERASED = 5
"""The share of residents who ask to be erased, and the most of them."""


async def demo(settings: Settings, console: Console) -> int:
    """Play, audit, print and write the report. Returns the exit code: 0 if the report passed, else 1."""
    live = settings.live and console.is_terminal
    with shown(console, live=live, expected=settings.referrals) as watch:
        async with _play(settings, watch) as play:
            began = time.monotonic()
            ending = await play.run(settings.seconds)
            seconds = time.monotonic() - began
            facts = await play.client.while_answered(gather_facts(play.client, play.ledger), _SILENT_SECONDS)
            await play.inbound.read_ends(ended(play.ledger, facts))
    report = make_report(
        play.ledger,
        facts,
        seed=settings.seed,
        ending=ending,
        effort=Effort(
            seconds=seconds,
            cpu_seconds=time.process_time(),
            requests_by_route=dict(play.client.by_route.most_common()),
            tried_again=dict(play.client.tried_again) | {"Kafka": play.inbound.tried_again},
            answers_4xx=dict(play.client.refusals),
            broken=dict(play.client.broken),
        ),
        now=play.endpoints.clock.now(),
    )
    if settings.report:
        settings.report.parent.mkdir(parents=True, exist_ok=True)
        settings.report.write_text(report.model_dump_json(indent=1) + "\n")
    print_report(console, report, facts)
    return 0 if report.passed else 1


async def load(settings: Settings, console: Console) -> int:
    """Hand everything in as fast as the doors take it, and say how long it took."""
    async with _play(settings, lambda _: None) as play:
        began = time.monotonic()
        with suppress(TimeoutError):
            await play.submit(settings.seconds)
        seconds = time.monotonic() - began
    taken = play.ledger.acknowledged
    console.print(f"{taken} of {settings.referrals} taken in {seconds:.1f} s", highlight=False)
    return 0 if taken == settings.referrals else 1


@asynccontextmanager
async def _play(settings: Settings, watch: Callable[[Stages], None]) -> AsyncIterator[Play]:
    endpoints = read_endpoints(settings.against)
    borough = Borough(settings.seed, postcodes(settings.gazetteer))
    ledger = Ledger(run=f"r{int(time.time()):x}{secrets.token_hex(2)}")
    async with open_client(endpoints.apis, Identities.of(endpoints)) as client:
        yield Play(
            endpoints,
            client,
            borough,
            settings.referrals,
            ledger,
            watch,
            settings.spread_seconds,
            erasures=min(_MOST_ERASED, math.ceil(settings.referrals * _ERASED_SHARE)),
        )
