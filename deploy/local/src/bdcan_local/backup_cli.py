"""The commands that keep a system and bring it back. `cli` adds them to `bdcan`."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bdcan_local.errors import InUseError, PlatformError
from bdcan_local.root import Root
from bdcan_local.settings import read_settings

if TYPE_CHECKING:
    from bdcan_local.backup import Site
    from bdcan_local.restore import Where

Say = Callable[[str], None]
Add = Callable[..., argparse.ArgumentParser]
Chosen = Callable[[argparse.Namespace], Root]

DIRECTORY = "BDCAN_BACKUP_DIR"


def register(add: Add, chosen: Chosen, say: Say) -> None:
    """Add the commands. `chosen`: the root that the options mean."""
    _add_backup(add, chosen, say)
    _add_restore(add, chosen, say)
    _add_upgrade(add, chosen, say)


def _add_backup(add: Add, chosen: Chosen, say: Say) -> None:
    def run(options: argparse.Namespace) -> int:
        site, directory = _site(options, chosen), _directory(options)
        if options.every is None:
            from bdcan_local.backup import back_up

            back_up(site, directory, say)
            return 0
        from bdcan_chassis.logs import configure_logging
        from bdcan_local.backup_watch import watch

        configure_logging("backup", "watch", os.environ.get("BDCAN_LOG_LEVEL", "INFO"), frozenset())
        return asyncio.run(watch(site, directory, options.every * 3600, options.host, options.port))

    command = add("backup", run, "back up the five databases, the secrets and the consumers' positions")
    _add_directory(command)
    command.add_argument(
        "--every",
        type=float,
        metavar="HOURS",
        help="stream PostgreSQL's log, make a backup every so many hours, and serve /metrics",
    )
    command.add_argument("--host", default="127.0.0.1", help="where /metrics is served (default %(default)s)")
    command.add_argument("--port", type=int, default=8303, help="and on which port (default %(default)s)")
    _add_servers(command)


def _add_restore(add: Add, chosen: Chosen, say: Say) -> None:
    def run(options: argparse.Namespace) -> int:
        from bdcan_local.restore import restore

        with _stopped(options, chosen) as where:
            restore(
                where,
                _directory(options),
                options.to,
                without_log=options.without_log,
                even_if_old=options.even_if_old,
                say=say,
            )
        say("Start the system: its consumers then read again from before the backup.")
        return 0

    command = add("restore", run, "put back the five databases as they were at a moment")
    _add_directory(command)
    command.add_argument(
        "--to", type=_moment, metavar="TIME", help="2026-03-24T03:00:00Z; default: all that there is"
    )
    command.add_argument("--without-log", action="store_true", help="only what the backup itself holds")
    command.add_argument(
        "--even-if-old", action="store_true", help="a backup from before what Kafka still knows"
    )
    command.add_argument(
        "--data", type=Path, metavar="DIR", help="PostgreSQL's data directory, where it is not ours"
    )
    command.add_argument("--owner", type=int, metavar="UID", help="who owns it then")
    _add_servers(command)


def _add_upgrade(add: Add, chosen: Chosen, say: Say) -> None:
    def run(options: argparse.Namespace) -> int:
        from bdcan_local import places, upgrade
        from bdcan_local.secrets_store import SecretsStore

        secrets = SecretsStore(Path(options.secrets)) if options.secrets else None
        if options.endpoints:
            where = places.of_file(options.endpoints)
        elif secrets and not options.root:
            where = places.of_servers(*_servers(options), secrets)
        else:
            where = places.of_root(chosen(options))
            secrets = where.system and where.system.secrets
        return upgrade.show(
            where, options.backups or read_settings().backups, say, secrets, as_json=options.json
        )

    command = add("upgrade", run, "say what an upgrade to this release would do, and whether it may begin")
    command.add_argument("--check", action="store_true", required=True, help="look, and change nothing")
    command.add_argument("--backups", type=Path, help=f"where backups are (default: {DIRECTORY})")
    command.add_argument("--json", action="store_true", help="for machines")
    command.add_argument(
        "--endpoints", type=Path, metavar="FILE", help="a system elsewhere: JSON, see docs/operations.md"
    )
    _add_servers(command)


def _add_directory(command: argparse.ArgumentParser) -> None:
    command.add_argument("directory", type=Path, nargs="?", help=f"where backups are (default: {DIRECTORY})")


def _add_servers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, help="default: the running one of .local/up and .local/demo")
    for name, text in (
        ("secrets", "in place of --root: the directory of the secrets (BDCAN_SECRETS)"),
        ("postgres", "and the server, HOST:PORT (BDCAN_POSTGRES)"),
        ("cluster", "and the cluster, HOST:PORT (BDCAN_CLUSTER)"),
    ):
        command.add_argument(f"--{name}", default=os.environ.get(f"BDCAN_{name.upper()}"), help=text)


def _directory(options: argparse.Namespace) -> Path:
    found = options.directory or read_settings().backups
    if found is None:
        raise PlatformError("no directory was named", f"Name one, or set {DIRECTORY}.")
    return found.resolve()


def _site(options: argparse.Namespace, chosen: Chosen) -> Site:
    from bdcan_local import backup, runner

    if options.secrets and not options.root:
        return backup.of_servers(*_servers(options), Path(options.secrets))
    return backup.of_system(runner.found(chosen(options), read_settings()))


def _servers(options: argparse.Namespace) -> tuple[str, str]:
    if not (options.postgres and options.cluster):
        raise PlatformError("the servers are not named", "Add --postgres and --cluster.")
    return options.postgres, options.cluster


@contextmanager
def _stopped(options: argparse.Namespace, chosen: Chosen) -> Iterator[Where]:
    """Where the data goes, of a system that does not run meanwhile."""
    from bdcan_local.postgres import Postgres, take_over
    from bdcan_local.restore import Where
    from bdcan_local.secrets_store import SecretsStore

    if options.data:
        _must_not_answer(options.postgres)
        if not options.data.parent.exists():
            options.data.parent.mkdir(mode=0o700)
            os.chown(options.data.parent, options.owner, options.owner)
        take = partial(take_over, options.data, user=options.owner)
        yield Where(options.data, take, SecretsStore(Path(options.secrets)))
        return
    root = chosen(options)
    lock = root.lock()
    try:
        postgres = Postgres(root.data / "postgres", 0, "")
        yield Where(postgres.data, postgres.take, SecretsStore(root.secrets))
    finally:
        os.close(lock)


def _must_not_answer(address: str | None) -> None:
    import socket

    if not address:
        raise PlatformError("the server is not named", "Add --postgres: a restore looks whether it runs.")
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port or 5432)), timeout=3).close()
    except OSError:
        return
    raise InUseError(f"PostgreSQL answers at {address}", "Stop the system first.")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("add the time zone: 2026-03-24T03:00:00Z")
    return moment
