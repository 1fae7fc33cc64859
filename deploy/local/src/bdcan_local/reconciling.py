"""`bdcan reconcile`: one look at a running system, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import to_builtins

from bdcan_chassis.printable import printable
from bdcan_local.errors import PlatformError
from bdcan_local.places import Places
from bdcan_local.table import lines
from bdcan_reconcile.check import PATIENCE_SECONDS, Verdict
from bdcan_reconcile.council import read_cases
from bdcan_reconcile.culprits import KINDS
from bdcan_reconcile.reading import UnreadableError
from bdcan_reconcile.watch import Watched, look

_SHOWN = 10
"""Culprits of each kind that a person is shown."""


def system_of(places: Places) -> Watched:
    """What reconcile reads."""
    council = partial(read_cases, *places.council) if places.council else None
    reading = places.reading or places
    return Watched(reading.databases, reading.kafka, places.clock, council)


async def once(places: Places, patience_seconds: float) -> Verdict:
    """Reconcile now. Raises PlatformError where something does not answer."""
    try:
        return await look(system_of(places), patience_seconds)
    except UnreadableError as error:
        raise PlatformError(str(error), "Look at `bdcan status`, and ask again.") from error


async def at_the_end(places: Places, say: Callable[[str], None]) -> int:
    """What a demo says at its end; returns 1 if somebody fell through a gap. Raises PlatformError."""
    verdict = await once(places, PATIENCE_SECONDS)
    if verdict.culprits:
        as_text(verdict, say)
        return 1
    say(
        f"bdcan reconcile: {verdict.counts['referrals']} referrals and {verdict.counts['needs']} needs across five"
        f" services; nobody is falling through a gap."
    )
    return 0


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict for machines."""
    return {**to_builtins(verdict), "by_kind": dict(sorted(verdict.by_kind.items()))}


def as_text(verdict: Verdict, say: Callable[[str], None]) -> None:
    """The verdict for people, the worst first: what was looked at comes last."""
    by_kind = verdict.by_kind
    for kind, count in sorted(by_kind.items(), key=lambda item: -item[1]):
        say(f"{kind}: {KINDS[kind]} ({count})")
        of_kind = [culprit for culprit in verdict.culprits if culprit.kind == kind]
        for culprit in of_kind[:_SHOWN]:
            whose = f"referral {culprit.referral_id}: " if culprit.referral_id else ""
            about = "" if culprit.about == "referral" else f"{culprit.about} "
            say(f"  {whose}{printable(about + culprit.says)}")
            say(f"    repair: {printable(culprit.repair)}")
        if count > _SHOWN:
            say(f"  and {count - _SHOWN} more: --json lists all")
        say("")
    counted = ", ".join(f"{count} {name}" for name, count in verdict.counts.items())
    say(f"looked at {counted} in {verdict.read_seconds:.1f} s")
    if verdict.doubts:
        left = len(verdict.open_doubts)
        say(f"{verdict.doubts} doubts looked at again ({verdict.seconds:.1f} s in all), {left} left open")
    if verdict.council_silent:
        say("The council's system does not answer: its cases were not compared.")
    if verdict.behind:
        say("These services are behind, so what is on its way to them cannot be judged:")
        rows = [(s, topic, n) for s, topics in verdict.behind.items() for topic, n in topics.items()]
        for line in lines(("service", "topic", "records"), rows):
            say(f"  {line}")
    total = len(verdict.culprits)
    say(f"{total} culprit(s)" if total else "nobody is falling through a gap")
