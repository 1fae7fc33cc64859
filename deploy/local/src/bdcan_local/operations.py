"""The operator's commands: what is wrong, who may be falling through a gap, and what stands still. `cli` adds them to `bdcan`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bdcan_local.errors import PlatformError
from bdcan_local.root import Root

Say = Callable[[str], None]
Find = Callable[[argparse.Namespace], Any]
"""Where the system is that the options mean."""


class Add(Protocol):
    """Adds a command with its one-line help."""

    def __call__(
        self, name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        """The new command's parser."""
        ...


def register(add: Add, chosen: Callable[[argparse.Namespace], Root], say: Say) -> None:
    """Add the commands. `chosen`: the root that the options mean."""

    def places(options: argparse.Namespace) -> Any:
        from bdcan_local import places

        return places.of_file(options.endpoints) if options.endpoints else places.of_root(chosen(options))

    for one in (_add_reconcile, _add_case, _add_promises, _add_lag, _add_dead_letters):
        one(add, places, say)
    for one in (_add_status, _add_pauses, _add_drain):
        one(add, chosen, say)


def _add_reconcile(add: Add, places: Find, say: Say) -> None:
    def reconcile(options: argparse.Namespace) -> int:
        from bdcan_local import reconciling

        where = places(options)
        if options.every is not None:
            from bdcan_chassis.logs import configure_logging
            from bdcan_reconcile.watch import watch

            configure_logging("reconcile", "watch", os.environ.get("BDCAN_LOG_LEVEL", "INFO"), frozenset())
            return asyncio.run(watch(reconciling.system_of(where), options.every, options.host, options.port))
        verdict = asyncio.run(reconciling.once(where, options.patience))
        if options.json:
            say(json.dumps(reconciling.as_json(verdict), indent=2))
        else:
            reconciling.as_text(verdict, say)
        return 1 if verdict.culprits else 0

    command = add("reconcile", reconcile, "prove that somebody has each need, and name each that nobody has")
    command.add_argument("--json", action="store_true", help="for machines; all culprits")
    command.add_argument(
        "--patience",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="how long services may take to hear what was written (default %(default)g)",
    )
    command.add_argument(
        "--every", type=float, metavar="SECONDS", help="do it again and again, and serve /metrics"
    )
    command.add_argument("--host", default="127.0.0.1", help="where /metrics is served (default %(default)s)")
    command.add_argument("--port", type=int, default=8302, help="and on which port (default %(default)s)")
    _add_places(command)


def _add_case(add: Add, places: Find, say: Say) -> None:
    def case(options: argparse.Namespace) -> int:
        from bdcan_local import case as cases

        if options.purpose and not options.reason:
            raise PlatformError("a purpose needs a reason", "Say why: --reason goes to the audit.")
        found = asyncio.run(cases.find(places(options), options.named, options.purpose, options.reason))
        if options.json:
            say(json.dumps(cases.as_json(found), indent=2, ensure_ascii=False))
            return 0
        for one in found:
            cases.as_text(one, say)
        return 0

    command = add("case", case, "tell all that the five services know about a referral")
    command.add_argument(
        "named",
        metavar="REFERENCE|ID",
        help="reference, SOURCE:REFERENCE, or the id of anything that belongs to it",
    )
    command.add_argument("--purpose", help="also show who it is, for a purpose: escalation, delivery, …")
    command.add_argument("--reason", help="why; goes to intake's audit")
    command.add_argument("--json", action="store_true", help="for machines")
    _add_places(command)


def _add_promises(add: Add, places: Find, say: Say) -> None:
    def promised(options: argparse.Namespace) -> int:
        from bdcan_local import promised

        return promised.show(places(options), options, say)

    command = add("promises", promised, "list what is owed to residents, the most pressing first")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--missed", action="store_true", help="only what is late")
    which.add_argument(
        "--soon", type=float, nargs="?", const=4.0, metavar="HOURS", help="only what is due within 4 hours"
    )
    command.add_argument("--hub", help="only of this hub's residents")
    command.add_argument("--limit", type=int, default=50, help="rows shown (default %(default)s)")
    command.add_argument("--json", action="store_true", help="for machines; all rows")
    _add_places(command)


def _add_lag(add: Add, places: Find, say: Say) -> None:
    def lag(options: argparse.Namespace) -> int:
        from bdcan_local import lag

        return lag.show(places(options), options, say)

    command = add("lag", lag, "show how far each consumer is behind, and when it will have caught up")
    command.add_argument("--json", action="store_true", help="for machines")
    command.add_argument(
        "--seconds", type=float, default=3.0, help="how long the rate is measured (default %(default)g)"
    )
    _add_places(command)


def _add_dead_letters(add: Add, places: Find, say: Say) -> None:
    def dead_letters(options: argparse.Namespace) -> int:
        from bdcan_local import letters
        from bdcan_local.table import lines

        where = places(options)
        sets = asyncio.run(letters.read(where))
        if options.act != "list":
            if not options.set or not options.reason:
                raise PlatformError(
                    f"{options.act} needs a set and --reason", "`bdcan dead-letters` lists the sets."
                )
            seen = letters.chosen(sets, options.set)
            return 0 if letters.settle(where, seen, options.act, options.reason, options.rate, say) else 1
        if options.json:
            ids = [[letter.partition(":")[2] for letter in one.ids] for one in sets]
            said = [
                {"set": one.name, **dict(zip(letters.CAUSE, one.cause, strict=True)), "ids": found}
                for one, found in zip(sets, ids, strict=True)
            ]
            say(json.dumps(said, indent=2))
            return 0
        rows = [
            (one.name, len(one.ids), one.queued, f"{one.oldest_parked_at:%d %b %H:%M}", *one.cause)
            for one in sets
        ]
        for line in lines(("set", "parked", "queued", "since", *letters.CAUSE), rows):
            say(line)
        say(
            f"{sum(len(one.ids) for one in sets)} parked. One: bdcan service SERVICE dead-letter show ID --reason REASON"
        )
        return 0

    command = add(
        "dead-letters", dead_letters, "list what was set aside by cause; replay or discard what was seen"
    )
    command.add_argument("act", nargs="?", choices=["list", "replay", "discard"], default="list")
    command.add_argument("set", nargs="?", help="as the list names it; what has come since is not touched")
    command.add_argument("--reason", help="why; goes to the audit")
    command.add_argument(
        "--rate", type=float, default=20.0, metavar="N", help="so many a second (default %(default)g)"
    )
    command.add_argument("--json", action="store_true", help="for machines; with the ids")
    _add_places(command)


def _add_status(add: Add, chosen: Callable[[argparse.Namespace], Root], say: Say) -> None:
    def show(options: argparse.Namespace) -> int:
        from bdcan_local import places, status

        if options.endpoints:
            return status.show_elsewhere(places.of_file(options.endpoints), options, say)
        root = chosen(options)
        return status.show(root, lambda: places.of_root(root), options, say)

    command = add("status", show, "show what stands still, what is wrong, and what runs")
    command.add_argument("--json", action="store_true", help="for machines")
    _add_places(command)


def _add_pauses(add: Add, chosen: Callable[[argparse.Namespace], Root], say: Say) -> None:
    def system(options: argparse.Namespace) -> Any:
        from bdcan_local import runner
        from bdcan_local.settings import read_settings

        return runner.found(chosen(options), read_settings())

    def loops(options: argparse.Namespace) -> int:
        from bdcan_local import pausing

        found = pausing.loops(system(options), [options.service] if options.service else _services())
        if options.json:
            say(json.dumps(found, indent=2))
        else:
            pausing.as_text(found, say)
        return 0

    def pause(options: argparse.Namespace) -> int:
        from bdcan_local import pausing

        words = ["--for", options.lasts, "--reason", options.reason, "--actor", options.by]
        words += ["--although-urgent"] if options.although_urgent else []
        return pausing.run(system(options), options.service, "pause", options.loop, *words)

    def resume(options: argparse.Namespace) -> int:
        from bdcan_local import draining, pausing

        process = options.what in _processes()
        if process or options.what is None:
            draining.resume(chosen(options), options.service, options.what, say)
        if process:
            return 0
        named = [options.what] if options.what else []
        words = ["--reason", options.reason, "--actor", options.by]
        return pausing.run(system(options), options.service, "resume", *named, *words)

    listed = add("loops", loops, "list what can be paused, and what is")
    listed.add_argument("service", nargs="?", choices=_services(), help="default: all")
    listed.add_argument("--json", action="store_true", help="for machines")
    held = add("pause", pause, "have a loop of all workers of a service stand still, until a time")
    held.add_argument("service", choices=_services())
    held.add_argument("loop", help="as `bdcan loops` lists it: consumer:main, relay:normal, pass:match, …")
    held.add_argument(
        "--for", dest="lasts", default="30m", metavar="TIME", help="90s, 30m, 2h (default 30m, at most 24h)"
    )
    held.add_argument(
        "--although-urgent", action="store_true", help="also a loop on which the safety of people depends"
    )
    freed = add(
        "resume", resume, "end a pause, or start again what was drained; without a name, all of a service"
    )
    freed.add_argument("service", choices=_services())
    freed.add_argument("what", nargs="?", help="a loop, or a process: api, worker, pulse")
    for command in (held, freed):
        _add_reason(command, required=command is held)
    for command in (listed, held, freed):
        _add_root(command)


def _add_drain(add: Add, chosen: Callable[[argparse.Namespace], Root], say: Say) -> None:
    def drain(options: argparse.Namespace) -> int:
        from bdcan_local import draining

        root = chosen(options)
        draining.drain(root, options.service, options.process, options.by, options.reason, say)
        return 0

    command = add("drain", drain, "have a process finish what it has in hand and end, until it is resumed")
    command.add_argument("service", choices=_services())
    command.add_argument("process", nargs="?", choices=_processes(), help="default: all of the service")
    _add_reason(command, required=True)
    _add_root(command)


def _add_reason(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--reason", required=required, default="", help="why")
    command.add_argument("--by", default=getpass.getuser(), help="who (default: this user)")


def _add_root(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, help="default: the running one of .local/up and .local/demo")


def _services() -> tuple[str, ...]:
    from bdcan_reconcile.rows import (
        SERVICES,  # lighter than the table of processes: every command waits for it
    )

    return SERVICES


def _processes() -> tuple[str, ...]:
    return ("api", "worker", "pulse")


def _add_places(command: argparse.ArgumentParser) -> None:
    """Where the system is."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, help="default: the running one of .local/up and .local/demo")
    where.add_argument(
        "--endpoints", type=Path, metavar="FILE", help="a system elsewhere: JSON, see docs/operations.md"
    )
