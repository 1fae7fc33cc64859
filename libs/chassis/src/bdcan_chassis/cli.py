"""The command line that every service has: `python -m bdcan_<service> api | worker | migrate | dead-letter | audit | …`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import asdict
from pydantic import ValidationError

from bdcan_chassis import audit, dead_letters, retention
from bdcan_chassis.errors import DATABASE_ERRORS, ChassisError, describe
from bdcan_chassis.heap import settle_heap
from bdcan_chassis.heartbeat import Database, beat, feel_lag
from bdcan_chassis.http.server import serve
from bdcan_chassis.logs import configure_logging
from bdcan_chassis.migrate import migrate
from bdcan_chassis.printable import printable
from bdcan_chassis.service import Service
from bdcan_chassis.signals import run
from bdcan_chassis.transaction import Transactions


def main(build: Callable[[], Service], argv: list[str] | None = None) -> int:
    """Run one command of a service; returns the exit code. 1: it failed. 2: the command or the configuration is wrong."""
    os.umask(0o077)  # whatever this process writes is about people: nobody else on the machine reads it
    arguments = sys.argv[1:] if argv is None else argv
    try:
        service = build()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "BDCAN_" + "_".join(map(str, problem["loc"])).upper()
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        return 2
    except ChassisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parser = _parser(service)
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb not in service.commands:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    configure_logging(service.name, options.verb, service.settings.log_level, service.personal_fields)
    try:
        return _run(service, options, rest)
    except ChassisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except DATABASE_ERRORS as error:
        print(f"error: {printable(describe(error))}", file=sys.stderr)
        return 1


def _parser(service: Service) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {service.package}", description=service.title)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("api", help="serve the API")
    verbs.add_parser("worker", help="consume, relay, keep deadlines, plan")
    verbs.add_parser("migrate", help="bring the database up to date")
    verbs.add_parser("openapi", help="print the API's OpenAPI document")
    kept = verbs.add_parser("retention", help="end what is past its time, as housekeeping does")
    only = kept.add_mutually_exclusive_group()
    only.add_argument("--dry-run", action="store_true", help="count what would end, and change nothing")
    only.add_argument(
        "--report", action="store_true", help="say what is kept, why, for how long, and what is past"
    )
    letters = verbs.add_parser("dead-letter", help="records that could not be handled").add_subparsers(
        dest="act", required=True
    )
    listing = letters.add_parser("list", help="open ones, oldest first")
    listing.add_argument("--consumer")
    listing.add_argument("--state", choices=["parked", "queued", "replayed", "discarded"])
    listing.add_argument("--limit", type=int, default=100)
    for act, text in (
        ("show", "one with headers and body (audited: a body may be about a person)"),
        ("replay", "handle it, and the records queued behind it, in order"),
        ("discard", "settle it without handling it"),
    ):
        one = letters.add_parser(act, help=text)
        one.add_argument("id", type=UUID, nargs=None if act == "show" else "?")
        one.add_argument("--reason", required=True, help="why; goes to the audit")
        one.add_argument("--actor", default=_this_user(), help="who; goes to the audit (default: this user)")
        if act != "show":
            _add_filter(one)
    _add_repairs(verbs)
    _add_pauses(verbs)
    chain = verbs.add_parser("audit", help="who saw or did what").add_subparsers(dest="act", required=True)
    verify = chain.add_parser(
        "verify", help="compute the chain again; names the first row that is not as written"
    )
    verify.add_argument(
        "--noted",
        type=_head,
        metavar="SEQ:HASH",
        help="a head that was noted before: shows a tail that was cut off",
    )
    rows = chain.add_parser("list", help="the newest rows, the newest last")
    rows.add_argument("--actor", help="of this account")
    rows.add_argument("--subject", type=UUID, help="about this referral, enquiry, volunteer or dead letter")
    rows.add_argument("--since", type=_instant, metavar="TIME", help="ISO 8601 with an offset")
    rows.add_argument("--limit", type=int, default=100)
    for name in service.commands:
        verbs.add_parser(name, add_help=False)
    return parser


def _add_repairs(verbs: Any) -> None:
    """Verbs that repair what `bdcan reconcile` names."""
    again = verbs.add_parser("redeliver", help="handle all events about a referral once more")
    again.add_argument("referral", type=UUID, help="its id")
    deadline = verbs.add_parser("deadline", help="when the service looks at something again")
    missing = deadline.add_subparsers(dest="act", required=True).add_parser(
        "set", help="set one that is missing"
    )
    missing.add_argument("kind")
    missing.add_argument("subject", type=UUID, help="the id of what is looked at")
    missing.add_argument("at", type=_instant, help="ISO 8601 with an offset")
    for repair in (again, missing):
        repair.add_argument("--reason", required=True, help="why; goes to the audit")
        repair.add_argument(
            "--actor", default=_this_user(), help="who; goes to the audit (default: this user)"
        )


def _add_pauses(verbs: Any) -> None:
    """Verbs that have a loop of the service's workers stand still."""
    listed = verbs.add_parser("loops", help="the loops of the workers, and which of them are paused")
    listed.add_argument("--json", action="store_true", help="for machines")
    held = verbs.add_parser("pause", help="have a loop of all workers stand still, until a time")
    freed = verbs.add_parser("resume", help="end a pause now; without a loop, all of them")
    for act in (held, freed):
        act.add_argument("loop", nargs="?" if act is freed else None, help="as `loops` lists it")
        act.add_argument("--reason", required=act is held, default="", help="why; goes to the audit")
        act.add_argument("--actor", default=_this_user(), help="who; goes to the audit (default: this user)")
    held.add_argument(
        "--for", dest="lasts", type=_span, default="30m", metavar="TIME", help="90s, 30m, 2h (default 30m)"
    )
    held.add_argument(
        "--although-urgent", action="store_true", help="also a loop on which the safety of people depends"
    )


def _add_filter(parser: argparse.ArgumentParser) -> None:
    """Options that choose parked records in place of an id."""
    parser.add_argument("--all", action="store_true", help="every parked record")
    parser.add_argument("--consumer", help="parked by this consumer")
    parser.add_argument("--topic", help="from this topic")
    parser.add_argument("--reason-code", help="parked for this reason: bad-body, handler-failed, …")
    parser.add_argument("--parked-before", type=_instant, metavar="TIME", help="ISO 8601 with an offset")
    parser.add_argument("--dry-run", action="store_true", help="list what would be done, and do nothing")


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError
    return instant


def _span(text: str) -> timedelta:
    units = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
    if text[-1:] not in units:
        raise ValueError
    return units[text[-1]] * float(text[:-1])


def _head(text: str) -> tuple[int, str]:
    seq, _, digest = text.partition(":")
    return int(seq), digest


def _this_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a user id may have no name
        return f"user {os.getuid()}"


def _run(service: Service, options: argparse.Namespace, rest: list[str]) -> int:
    match options.verb:
        case "worker":
            from bdcan_chassis.worker import run_worker

            return run_worker(service)
        case "api":
            return run(lambda stopping: _serve(service, stopping))
        case "openapi":
            return asyncio.run(_print_openapi(service))
        case "migrate":
            done = asyncio.run(
                migrate(service.settings.database_url.get_secret_value(), service.migration_packages)
            )
            print(f"{service.name}: {len(done)} migration(s) applied")
            return 0
        case "retention":
            return asyncio.run(_retention(service, options))
        case "audit":
            return asyncio.run(_audit(service, options))
        case "dead-letter":
            return asyncio.run(_dead_letter(service, options))
        case "loops" | "pause" | "resume":
            return asyncio.run(_pauses(service, options))
        case "redeliver" | "deadline":
            return asyncio.run(_repair(service, options))
        case verb:
            return asyncio.run(_command(service, verb, rest))


async def _serve(service: Service, stopping: asyncio.Event) -> int:
    transactions = await service.open("api")
    try:
        app = service.api(transactions)
        settle_heap()
        database = Database(service.settings, f"bdcan.{service.name}.api-heartbeat")
        await asyncio.gather(
            serve(app, service.settings, service.settings.http_port, stopping),
            beat(database, None, (), stopping),
            feel_lag(stopping),
        )
        return 0
    finally:
        await transactions.pool.close()
        if transactions.tracer is not None:
            await transactions.tracer.close()


async def _print_openapi(service: Service) -> int:
    import orjson

    transactions = await service.open("openapi")
    app = service.api(transactions)
    print(orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())
    return 0


async def _command(service: Service, verb: str, rest: list[str]) -> int:
    transactions = await service.open(verb)
    try:
        return await service.commands[verb](transactions, rest)
    finally:
        await transactions.pool.close()


async def _retention(service: Service, options: argparse.Namespace) -> int:
    kinds, kept_for = service.all_kept, service.kept_for
    transactions = await service.open("retention")
    try:
        if not (options.dry_run or options.report):
            for name, rows in (await retention.end(transactions, kinds, kept_for)).items():
                print(f"{service.name}  {name}: {rows} row(s) ended")
            return 0
        for past in await retention.look(transactions, kinds, kept_for):
            kind = past.kept
            print(
                f"{service.name}  {kind.name}: {past.rows} row(s) past {past.period.days} days; {kind.then}"
            )
            if options.report:
                print(f"    {kind.table}: {kind.holds}")
                print(f"    why: {kind.why}. Lawful basis: {kind.basis}")
        return 0
    finally:
        await transactions.pool.close()


async def _audit(service: Service, options: argparse.Namespace) -> int:
    transactions = await service.open("audit")
    try:
        async with transactions.pool.acquire() as connection:
            if options.act == "verify":
                verdict = await audit.verify(connection, options.noted)
                head = f"head {verdict.head_seq}:{verdict.head_hash}"
                print(f"{service.name}: {verdict.rows} row(s), {head}: {verdict.broken or 'as written'}")
                return 1 if verdict.broken else 0
            found = await audit.find(
                connection,
                actor=options.actor,
                subject_id=options.subject,
                since=options.since,
                limit=options.limit,
            )
        for row in found:
            print(
                printable(
                    f"{row.seq}  {row.at.isoformat()}  {row.actor}  {row.act}  {row.subject_id}  {row.detail}  {row.reason}"
                )
            )
        print(f"{len(found)} row(s)")
        return 0
    finally:
        await transactions.pool.close()


async def _dead_letter(service: Service, options: argparse.Namespace) -> int:
    transactions = await service.open("dead-letter")
    try:
        if options.act == "list":
            return await _list_letters(transactions, options)
        if options.act == "show":
            return await _show_letter(transactions, options)
        return await _settle_letters(transactions, options)
    finally:
        await transactions.pool.close()


async def _repair(service: Service, options: argparse.Namespace) -> int:
    from bdcan_chassis import repairs

    transactions = await service.open(options.verb)
    try:
        if options.verb == "redeliver":
            count = await repairs.redeliver(
                service, transactions, options.referral, options.actor, options.reason
            )
            print(f"redeliver: a worker handles {count} event(s) once more")
            return 0 if count else 1
        async with transactions.begin() as tx:
            done = await repairs.set_deadline(
                tx, service, options.kind, options.subject, options.at, options.actor, options.reason
            )
        print(f"deadline: {'set' if done else 'there is one'}")
        return 0 if done else 1
    finally:
        await transactions.pool.close()


async def _pauses(service: Service, options: argparse.Namespace) -> int:
    from bdcan_chassis import pauses

    transactions = await service.open(options.verb)
    try:
        async with transactions.begin() as tx:
            match options.verb:
                case "pause":
                    found = await pauses.pause(
                        tx,
                        service,
                        options.loop,
                        options.lasts,
                        options.actor,
                        options.reason,
                        although_urgent=options.although_urgent,
                    )
                    print(f"{service.name} {found.loop}: paused until {found.ends_at:%d %b %H:%M:%S %Z}")
                    return 0
                case "resume":
                    all_of_them = [one.loop for one in await pauses.paused(tx.connection)]
                    named = [options.loop] if options.loop else all_of_them
                    done = [
                        await pauses.resume(tx, service, loop, options.actor, options.reason)
                        for loop in named
                    ]
                    for loop, resumed in zip(named, done, strict=True):
                        print(f"{service.name} {loop}: {'resumed' if resumed else 'was not paused'}")
                    return 0 if all(done) else 1
                case _:
                    held = {one.loop: one for one in await pauses.paused(tx.connection)}
        _show_loops(service, held, options)
        return 0
    finally:
        await transactions.pool.close()


def _show_loops(service: Service, held: Mapping[str, Any], options: argparse.Namespace) -> None:
    from bdcan_chassis.pauses import loops_of

    found = [
        {
            "service": service.name,
            "loop": loop,
            "urgent": loop in service.urgent_loops,
            "ends_at": one and one.ends_at.isoformat(),
            "actor": one and one.actor,
            "reason": one and one.reason,
        }
        for loop in loops_of(service)
        for one in (held.get(loop),)
    ]
    if options.json:
        print(json.dumps(found))
        return
    for row in found:
        urgent = "  urgent" if row["urgent"] else ""
        state = f"until {row['ends_at']} by {row['actor']}: {row['reason']}" if row["ends_at"] else "runs"
        print(printable(f"{service.name}  {row['loop']}{urgent}  {state}"))


async def _list_letters(transactions: Transactions, options: argparse.Namespace) -> int:
    async with transactions.pool.acquire() as connection:
        letters = await dead_letters.find(
            connection, consumer=options.consumer, state=options.state, limit=options.limit
        )
    for letter in letters:
        print(_line_of(letter))
    print(f"{len(letters)} record(s)")
    return 0


async def _show_letter(transactions: Transactions, options: argparse.Namespace) -> int:
    async with transactions.begin() as tx:
        found = await dead_letters.show(tx, options.id, options.actor, options.reason)
    if found:
        letter, content = found
        for name, value in {**asdict(letter), **content}.items():
            print(f"{name}: {_shown(value)}")
    print(f"show: {'done' if found else 'no open record has this id'}")
    return 0 if found else 1


async def _settle_letters(transactions: Transactions, options: argparse.Namespace) -> int:
    """Replay or discard one record, or those that a filter chooses, each in a transaction of its own."""
    act = dead_letters.request_replay if options.act == "replay" else dead_letters.discard
    wanted = dead_letters.Wanted(options.consumer, options.topic, options.reason_code, options.parked_before)
    by_filter = options.all or wanted != dead_letters.Wanted()
    if by_filter == (options.id is not None):
        print(
            "error: name one id, or choose by --all, --consumer, --topic, --reason-code, --parked-before",
            file=sys.stderr,
        )
        return 2
    ids = [options.id]
    if by_filter:
        async with transactions.pool.acquire() as connection:
            chosen = await dead_letters.parked(connection, wanted)
        if options.dry_run:
            for letter in chosen:
                print(_line_of(letter))
            print(f"{options.act}: {len(chosen)} record(s) would be taken")
            return 0
        ids = [letter.id for letter in chosen]
    done = 0
    for letter_id in ids:
        async with transactions.begin() as tx:
            done += await act(tx, letter_id, options.actor, options.reason)
    if by_filter:
        print(f"{options.act}: {done} record(s) done")
        return 0
    print(f"{options.act}: {'done' if done else 'no open record has this id'}")
    return 0 if done else 1


def _line_of(letter: dead_letters.DeadLetter) -> str:
    key = _shown(letter.key or b"-")
    return (
        f"{letter.id}  {letter.state:9} {letter.consumer}  {letter.topic}[{letter.partition}]@{letter.offset}"
        f"  key={key}  {printable(letter.event_type or '?')}  {printable(letter.reason)}: {printable(letter.error)}"
    )


def _shown(value: object) -> str:
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
