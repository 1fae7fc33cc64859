"""`bdcan`: the local system from the command line. `bdcan --help` lists what it can do.

Exit codes: 0 well, 1 a fault (two lines say which, and what to do), 2 wrong usage, 3 to 7 as in `errors.py`,
130 after Ctrl-C. `bdcan demo` exits with the simulator's code.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bdcan_local import backup_cli, operations
from bdcan_local.child import PRIVATE
from bdcan_local.errors import PlatformError
from bdcan_local.settings import read_settings

UP_ROOT = Path(".local/up")
DEMO_ROOT = Path(".local/demo")


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(argv)
    os.umask(PRIVATE)
    if options.command in {_up, _demo}:  # nothing has been started yet; `until_signalled` takes over
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: os._exit(0))
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except PlatformError as error:
        print(f"error: {error.what}\n       {error.todo}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough: `bdcan status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bdcan", description="BD CAN Plus on this machine, without containers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(command=command)
        return added

    up = add("up", _up, "start everything and keep it running")
    up.add_argument("--detach", action="store_true", help="return when all is ready, and leave it running")
    up.add_argument("--root", type=Path, default=UP_ROOT, help="data, secrets and logs (default %(default)s)")
    demo = add(
        "demo", _demo, "start everything afresh, play a day of March 2020 on it, show what became of it, stop"
    )
    demo.add_argument(
        "--against", metavar="FILE_OR_URL", help="play on a running system instead: its endpoints.json"
    )
    demo.add_argument(
        "--root", type=Path, default=DEMO_ROOT, help="data, secrets and logs (default %(default)s)"
    )
    demo.add_argument("--report", type=Path, help="where the report goes (default ROOT/report.json)")
    for name, command, text in (
        ("down", _down, "stop what `up` started"),
        ("logs", _logs, "show the log of a process"),
        (
            "prometheus-config",
            _prometheus_config,
            "print what a Prometheus on this machine needs to watch the running system",
        ),
        (
            "service",
            _service,
            "run a verb of a service on the running system: bdcan service intake dead-letter list",
        ),
    ):
        added = add(name, command, text)
        added.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
        if name == "logs":
            added.add_argument("name", help="as in `bdcan status`")
            added.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
        if name == "service":
            added.add_argument("name", help="of the service")
            added.add_argument("verb", nargs=argparse.REMAINDER, help="and its options; --help lists them")
    checked = add(
        "audit", _audit, "check that no row of the audits of all five services was changed or removed"
    )
    checked.add_argument("act", choices=["verify"])
    checked.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
    _about_people(add)
    token = add("token", _token, "make an access token for a person on this system")
    token.add_argument(
        "--as",
        dest="name",
        required=True,
        help="desk, hub-3, picker, officer, manager, a volunteer's id, or any name with --scope",
    )
    token.add_argument("--role", help="the role of a person with a name of their own: --as ada --role desk")
    token.add_argument(
        "--scope",
        action="extend",
        nargs="+",
        default=[],
        help="in place of the role's own: referrals:read hubs:all",
    )
    token.add_argument(
        "--hub", action="extend", nargs="+", default=[], help="whose residents the person sees"
    )
    token.add_argument(
        "--source",
        action="extend",
        nargs="+",
        default=[],
        help="whom the person submits referrals as; the first where a request names none",
    )
    token.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
    revoke = add("revoke", _revoke, "revoke a person's token: it stops working within seconds")
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("--token", metavar="JTI", help="one token: `bdcan token` says its jti")
    which.add_argument("--subject", help="all tokens that this person was given until now")
    roll = add("roll-key", _roll_key, "make a new API key of a name, and let the old ones end")
    roll.add_argument("name", help="as in secrets/api-keys")
    roll.add_argument(
        "--keep-old",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="the old keys work for so long (default 7)",
    )
    roll.add_argument(
        "--lasts", type=float, metavar="DAYS", help="the new key works for so long (default: for ever)"
    )
    for added in (revoke, roll):
        added.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
        added.add_argument("--secrets", type=Path, help="in place of --root: the directory of the secrets")
    _about_outside(add)
    _about_contracts(add)
    _add_places(add("provision", _provision, "make users, topics, permissions and databases on any cluster"))
    operations.register(add, _chosen, _say)
    shell = add("completion", _completion, "print what a shell needs to complete the words of this command")
    shell.add_argument("shell", choices=["bash", "zsh", "fish"])
    backup_cli.register(add, _chosen, _say)
    add("kafka-lock", _kafka_lock, "resolve Kafka's jars again and write the lock")
    return parser


def _add_places(provision: argparse.ArgumentParser) -> None:
    """Where `provision` works."""
    provision.add_argument(
        "--kafka", metavar="HOST:PORT", help="the cluster; its administrator is kafka/admin"
    )
    provision.add_argument(
        "--postgres", metavar="HOST:PORT", help="the server; its superuser is postgres/postgres"
    )
    provision.add_argument(
        "--secrets", type=Path, required=True, help="directory with a file for each password"
    )
    provision.add_argument(
        "--replicas", type=int, default=1, help="copies of each new topic (default %(default)s)"
    )
    provision.add_argument(
        "--revoke", action="store_true", help="take away permissions that the catalogue does not give"
    )


def _about_people(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands about what is held of people."""
    kept = add("retention", _retention, "end what is past its time, in all five services")
    kept.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
    only = kept.add_mutually_exclusive_group()
    only.add_argument("--dry-run", action="store_true", help="count what would end, and change nothing")
    only.add_argument(
        "--report", action="store_true", help="say what is kept, why, for how long, and what is past"
    )
    for name, command, text in (
        ("export", _export, "show all that the five services hold about a person, and who saw it"),
        ("erase", _erase, "ask for a person to be erased in all five services"),
    ):
        right = add(name, command, text)
        right.add_argument(
            "--referral", action="extend", nargs="+", default=[], help="ids of the person's referrals"
        )
        right.add_argument(
            "--enquiry", action="extend", nargs="+", default=[], help="ids of a volunteer's enquiries"
        )
        right.add_argument("--volunteer", action="extend", nargs="+", default=[], help="ids of a volunteer")
        right.add_argument("--reason", required=True, help="why: a code, such as resident-asked")
        right.add_argument("--root", type=Path, help=f"default: the running one of {UP_ROOT} and {DEMO_ROOT}")
        if name == "export":
            right.add_argument("--text", action="store_true", help="for people, in place of JSON")


def _about_outside(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands about systems outside."""
    from bdcan_local import onboarding_cli

    roots = f"default: the running one of {UP_ROOT} and {DEMO_ROOT}"
    onboarding_cli.add_parsers(add, roots, _chosen, _say)


def _about_contracts(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command that checks what an upstream system would send."""
    from bdcan_contracts import __main__ as contracts

    commands = add("contracts", contracts.check_files, "check files of an upstream system").add_subparsers(
        required=True, metavar="COMMAND"
    )
    contracts.add_arguments(
        commands.add_parser("check", help="say offline what a receipt would say about files")
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _up(options: argparse.Namespace) -> int:
    from bdcan_local import detached, processes, runner
    from bdcan_local.root import Root

    root = Root(options.root)
    if options.detach:
        return detached.start(root, _say)

    async def work() -> int:
        settings = read_settings()
        async with runner.running(root, settings, runner.Plan(), _say) as running:
            await running.supervisor.start(processes.reconcile_unit(running.system, root.directory))
            if settings.backups:
                unit = processes.backup_unit(running.system, root.directory, settings.backups.resolve())
                await running.supervisor.start(unit)
            _say(
                f"all is ready. Logs: {options.root}/logs. Status: .venv/bin/bdcan status. Stop: Ctrl-C or make down"
            )
            await asyncio.get_running_loop().create_future()
        return 0

    return asyncio.run(runner.until_signalled(work()))


def _demo(options: argparse.Namespace) -> int:
    import time

    from bdcan_local import reconciling, runner
    from bdcan_local.cost import Meter
    from bdcan_local.guardian import Guardian
    from bdcan_local.places import of_system
    from bdcan_local.root import Root

    settings = read_settings()
    root = Root(options.root)
    report: Path = options.report or options.root / "report.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    against = options.against or str(root.endpoints)
    simulator = (
        sys.executable,
        "-m",
        "bdcan_simulator",
        "demo",
        "--against",
        against,
        "--report",
        str(report),
    )

    async def play_on_another() -> int:
        with Guardian() as guardian:
            return await runner.run_in_terminal(simulator, settings.environment, guardian)

    async def play() -> int:
        clock = f"scaled:2020-03-23T08:00:00+00:00:{time.time():.3f}:{settings.demo_speed:g}"
        plan = runner.Plan(clock=clock, fresh=True, usual_ports=False)
        async with runner.running(root, settings, plan, _say) as running:
            meter = Meter.start(running.supervisor.statuses)
            code = await runner.run_in_terminal(simulator, settings.environment, running.guardian)
            code = code or await reconciling.at_the_end(of_system(running.system), _say)
            if cost := meter.add_to(report):
                _say(cost)
            return code

    return asyncio.run(runner.until_signalled(play_on_another() if options.against else play()))


def _down(options: argparse.Namespace) -> int:
    from bdcan_local import detached

    return detached.stop(_chosen(options), _say)


def _completion(options: argparse.Namespace) -> int:
    from bdcan_local import completion

    print(completion.script(_parser(), options.shell))
    return 0


def _prometheus_config(options: argparse.Namespace) -> int:
    from bdcan_local.prometheus_config import config

    print(config(_chosen(options)))
    sys.stderr.write("left out: PostgreSQL's and Kafka's exporters, which run with docker compose alone\n")
    return 0


def _logs(options: argparse.Namespace) -> int:
    from bdcan_local import status

    return status.show_log(_chosen(options), options.name, follow=options.follow)


def _service(options: argparse.Namespace) -> int:
    from bdcan_local import runner
    from bdcan_local.processes import SERVICES, migrate_command, service_command

    if options.name not in SERVICES:
        raise PlatformError(f"there is no service {options.name!r}", f"There are: {', '.join(SERVICES)}.")
    system = runner.found(_chosen(options), read_settings())
    verb = options.verb or ["--help"]
    if verb == ["migrate"]:
        command = migrate_command(system, options.name)
    else:
        command = service_command(system, options.name, *verb)
    os.execve(command.argv[0], command.argv, dict(command.environment))  # noqa: S606 # the words are ours


def _retention(options: argparse.Namespace) -> int:
    chosen = [f"--{name.replace('_', '-')}" for name in ("dry_run", "report") if getattr(options, name)]
    return _everywhere(options, "retention", *chosen)


def _audit(options: argparse.Namespace) -> int:
    from bdcan_local import chain, mints
    from bdcan_local.restore_finish import RESTORES
    from bdcan_local.secrets_store import ACTS

    code = _everywhere(options, "audit", "verify")
    for what, file in (
        ("tokens made here", mints.FILE),
        ("acts about systems outside", ACTS),
        ("restores", RESTORES),
    ):
        rows, broken = chain.verify(_chosen(options).secrets / file)
        _say(f"{what}: {rows} row(s): {broken or 'as written'}")
        code = 1 if broken else code
    return code


def _everywhere(options: argparse.Namespace, *verb: str) -> int:
    """Runs a verb of all five services; returns the worst exit code."""
    import subprocess

    from bdcan_local import runner
    from bdcan_local.processes import SERVICES, service_command

    system = runner.found(_chosen(options), read_settings())
    code = 0
    for name in SERVICES:
        command = service_command(system, name, *verb)
        ran = subprocess.run(command.argv, env=dict(command.environment), check=False)  # noqa: S603 # the words are ours
        code = max(code, ran.returncode)
    return code


def _export(options: argparse.Namespace) -> int:
    import json

    from bdcan_local import rights

    urls, headers = _apis_for_an_officer(options)
    exported = rights.export(
        urls, headers, rights.whom(options.referral, options.enquiry, options.volunteer), options.reason
    )
    if options.text:
        rights.as_text(exported, _say)
    else:
        _say(json.dumps(exported, indent=2, ensure_ascii=False))
    return 0


def _erase(options: argparse.Namespace) -> int:
    import json

    from bdcan_local import rights

    urls, headers = _apis_for_an_officer(options)
    taken = rights.erase(
        urls["intake"],
        headers,
        rights.whom(options.referral, options.enquiry, options.volunteer),
        options.reason,
    )
    _say(json.dumps(taken, indent=2))
    return 0


def _apis_for_an_officer(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Where the five APIs are, and the credentials of somebody who may ask them about a person's rights."""
    from bdcan_local import runner
    from bdcan_local.processes import SERVICES
    from bdcan_local.tokens import make_token

    system = runner.found(_chosen(options), read_settings())
    token = make_token(system.secrets, "officer").text
    return {name: system.url(f"{name}-api") for name in SERVICES}, {"Authorization": f"Bearer {token}"}


def _token(options: argparse.Namespace) -> int:
    from bdcan_local import mints
    from bdcan_local.secrets_store import SecretsStore
    from bdcan_local.tokens import make_token

    secrets = SecretsStore(_chosen(options).secrets)
    token = make_token(
        secrets, options.name, tuple(options.scope), tuple(options.hub), tuple(options.source), options.role
    )
    mints.record(secrets.path(mints.FILE), token)
    print(token.text)
    hubs = f" at {', '.join(token.hubs)}" if token.hubs else ""
    sources = f" as {', '.join(token.sources)}" if token.sources else ""
    print(
        f"{token.subject}{hubs}{sources} may use {' '.join(token.scopes)} until"
        f" {token.expires_at.astimezone():%d %B %H:%M %Z} (jti {token.token_id})",
        file=sys.stderr,  # so that TOKEN=$(bdcan token …) holds the token alone
    )
    return 0


def _revoke(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    _secrets_of(options).revoke(datetime.now(UTC), token_id=options.token, subject=options.subject)
    _say(f"revoked: {options.token or f'what {options.subject} was given until now'}")
    return 0


def _roll_key(options: argparse.Namespace) -> int:
    import getpass
    from datetime import UTC, datetime, timedelta

    from bdcan_local import chain
    from bdcan_local.secrets_store import ACTS

    store = _secrets_of(options)
    lasts = None if options.lasts is None else timedelta(days=options.lasts)
    keep = timedelta(days=options.keep_old)
    with store.locked():
        old_end, new_end = store.roll_api_key(options.name, keep, lasts, datetime.now(UTC))
    chain.add(store.path(ACTS), {"by": getpass.getuser(), "act": "key.roll", "name": options.name})
    until = f"until {new_end:%d %B %Y}" if new_end else "for ever"
    _say(f"{store.path('api-keys', options.name)} has the new key, which works {until}.")
    _say(f"The old one works until {old_end:%d %B %Y %H:%M} UTC: give the new one to its owner before.")
    return 0


def _secrets_of(options: argparse.Namespace):
    from bdcan_local.secrets_store import SecretsStore

    return SecretsStore(options.secrets or _chosen(options).secrets)


def _provision(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from bdcan_contracts.catalogue import CATALOGUE
    from bdcan_local import access, onboarding, restore_finish
    from bdcan_local.kafka import ADMIN, client_options
    from bdcan_local.postgres import SUPERUSER
    from bdcan_local.processes import SERVICES, database_roles
    from bdcan_local.provision import EXPORTER, provision_exporter, provision_kafka, provision_postgres
    from bdcan_local.secrets_store import SecretsStore

    secrets = SecretsStore(options.secrets)

    async def work() -> None:
        postgres: str | None = None
        if options.postgres:
            passwords = secrets.passwords("postgres", database_roles())
            password = secrets.get("postgres", SUPERUSER)
            postgres = f"postgresql://{SUPERUSER}:{password}@{options.postgres}/postgres"
            await provision_postgres(postgres, passwords)
            await provision_exporter(postgres, secrets.get("postgres", EXPORTER))
            _say(f"{len(SERVICES)} databases and {len(passwords)} roles in place")
        if options.kafka:
            now = datetime.now(UTC)
            upstreams, outsiders = secrets.upstreams(), secrets.outsiders(now)
            passwords = secrets.passwords("kafka", access.users(CATALOGUE.topics, outsiders))
            client = client_options(options.kafka, ADMIN, secrets.get("kafka", ADMIN))
            left = await provision_kafka(
                client,
                CATALOGUE.topics,
                passwords,
                options.replicas,
                upstreams=upstreams,
                outsiders=outsiders,
                revoke=options.revoke,
            )
            onboarding.sweep(secrets, client, now)
            await restore_finish.finish(secrets, client, postgres, _say)
            _say(f"{len(CATALOGUE.topics)} topics and {len(passwords)} users in place")
            for grant in left:
                what = f"{grant.operation.name} {grant.resource.name} {grant.name}"
                _say(f"{'taken away' if options.revoke else 'not in the catalogue'}: {grant.user} {what}")
            if left and not options.revoke:
                _say("take them away with --revoke, when no release that needs them runs any more")

    asyncio.run(work())
    return 0


def _kafka_lock(_: argparse.Namespace) -> int:
    from bdcan_local import jars

    _say(f"{len(jars.write_lock(read_settings()))} jars locked in {jars.LOCK_FILE.name}")
    return 0


def _chosen(options: argparse.Namespace):
    from bdcan_local.root import Root

    if options.root is not None:
        return Root(options.root)
    roots = [Root(UP_ROOT), Root(DEMO_ROOT)]
    return next((root for root in roots if root.is_locked()), roots[0])


if __name__ == "__main__":
    sys.exit(main())
