"""The command line of a service, as an operator sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from ledger import Added, Faults, ledger_catalogue, ledger_service

from bdcan_chassis import dead_letters
from bdcan_chassis.audit import Act
from bdcan_chassis.cli import main
from bdcan_chassis.migrate import migrations_in
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import Harness

HERE = Path(__file__).parent


async def cli(ledger: Harness, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a verb in a thread, because it has an event loop of its own; returns exit code and output."""
    capsys.readouterr()
    code = await asyncio.to_thread(main, lambda: ledger.service, list(arguments))
    out = capsys.readouterr()
    return code, out.out + out.err


async def run(*arguments: str, **env: str) -> tuple[int, str]:
    """The same as a process with an environment of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "ledger_process.py"),
        *arguments,
        env={"PATH": os.environ["PATH"], "LEDGER_TAG": "cli"} | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode()


def environment(**more: str) -> dict[str, str]:
    return {
        "BDCAN_DATABASE_URL": "postgresql://toy:hush-1@127.0.0.1:1/toy",
        "BDCAN_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "BDCAN_KAFKA_USERNAME": "toy",
        "BDCAN_KAFKA_PASSWORD": "hush-2",
        "BDCAN_JWKS": "unused",
        "BDCAN_OIDC_ISSUER": "https://issuer.example.org",
    } | more


async def test_start_without_settings_names_every_missing_variable() -> None:
    code, out = await run("migrate")
    assert code == 2
    for name in (
        "DATABASE_URL",
        "KAFKA_BOOTSTRAP",
        "KAFKA_USERNAME",
        "KAFKA_PASSWORD",
        "JWKS",
        "OIDC_ISSUER",
    ):
        assert f"BDCAN_{name}: Field required" in out
    assert "Traceback" not in out


async def test_wrong_settings_are_named_without_their_values() -> None:
    code, out = await run(
        "worker", **environment(BDCAN_HTTP_PORT="hush-3", BDCAN_CLOCK="hush-4", BDCAN_PARK_RATIO="7")
    )
    assert code == 2
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "BDCAN_HTTP_PORT",
        "BDCAN_CLOCK",
        "BDCAN_PARK_RATIO",
    ]
    assert "hush" not in out


async def test_worker_with_too_short_a_retention_says_what_to_change() -> None:
    code, out = await run("worker", **environment(BDCAN_INBOX_RETENTION="P3D", BDCAN_OPS_PORT="0"))
    assert code == 2
    assert "BDCAN_INBOX_RETENTION is 3 days" in out


async def test_unreachable_database_is_reported_in_one_line() -> None:
    code, out = await run("dead-letter", "list", **environment())
    assert code == 1
    assert out.startswith("error: ConnectionRefusedError")
    assert "Traceback" not in out
    assert "hush" not in out


@pytest.mark.parametrize(
    ("verb", "variable", "expected"), [("worker", "BDCAN_OPS_PORT", 1), ("api", "BDCAN_HTTP_PORT", 2)]
)
async def test_taken_port_ends_the_process_and_is_named(
    ledger: Harness, verb: str, variable: str, expected: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        dsn = ledger.service.settings.database_url.get_secret_value()
        code, out = await run(verb, **environment(BDCAN_DATABASE_URL=dsn) | {variable: str(port)})
    assert code == expected
    assert f"port {port} of 127.0.0.1 cannot be bound" in out


async def test_second_migrate_has_nothing_to_do(
    postgres_server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "migration_packages", property(lambda _: ["bdcan_chassis"]))
    values = {k.removeprefix("BDCAN_").lower(): v for k, v in environment().items()}
    settings = ServiceSettings.model_validate(values | {"database_url": await postgres_server.database()})
    service = ledger_service(settings, ledger_catalogue(), Faults())
    for applied in (len(migrations_in("bdcan_chassis")), 0):
        assert await asyncio.to_thread(main, lambda: service, ["migrate"]) == 0
        assert f"{applied} migration(s) applied" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["migrate", "--fast"], ["dead-letter"], ["dead-letter", "show", "7", "--reason", "x"]],
    ids=" ".join,
)
def test_wrong_command_exits_with_2(
    shared_ledger: Harness, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(lambda: shared_ledger.service, arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


async def test_listing_showing_replaying_and_discarding_dead_letters_is_audited(
    ledger: Harness, shared_faults: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    shared_faults.refuse = {1, 3}
    account, other = uuid4(), uuid4()
    await ledger.deliver(
        *(Added(account_id=account, number=n) for n in (1, 2)), Added(account_id=other, number=3)
    )
    async with ledger.transactions.pool.acquire() as connection:
        head, behind, alone = await dead_letters.find(connection)

    code, out = await cli(ledger, "dead-letter", "list", capsys=capsys)
    assert code == 0
    assert [str(x.id) in out for x in (head, behind, alone)] == [True] * 3
    assert "3 record(s)" in out
    code, out = await cli(
        ledger, "dead-letter", "list", "--state", "queued", "--consumer", "numbers", capsys=capsys
    )
    assert (str(behind.id) in out, "1 record(s)" in out) == (True, True)
    _, out = await cli(ledger, "dead-letter", "list", "--consumer", "none", capsys=capsys)
    assert out == "0 record(s)\n"

    why = ("--reason", "the bug is mended", "--actor", "kim")
    code, out = await cli(ledger, "dead-letter", "show", str(head.id), *why, capsys=capsys)
    assert code == 0
    assert '"number":1' in out
    assert "bdcan.feeder.number.added.v1" in out
    assert (await cli(ledger, "dead-letter", "replay", str(head.id), *why, capsys=capsys))[0] == 0
    assert (await cli(ledger, "dead-letter", "discard", str(alone.id), *why, capsys=capsys))[0] == 0
    code, out = await cli(ledger, "dead-letter", "discard", str(alone.id), *why, capsys=capsys)
    assert (code, out) == (1, "discard: no open record has this id\n")
    code, _ = await cli(ledger, "dead-letter", "show", str(uuid4()), *why, capsys=capsys)
    assert code == 1

    rows = await ledger.fetch("SELECT subject_id, act, actor, reason FROM chassis.audit ORDER BY seq")
    assert [tuple(r) for r in rows] == [
        (head.id, "dead-letter-shown", "kim", "the bug is mended"),
        (head.id, "dead-letter-replay-requested", "kim", "the bug is mended"),
        (alone.id, "dead-letter-discarded", "kim", "the bug is mended"),
    ]


async def test_openapi_is_printed_without_a_database(
    ledger: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = await cli(ledger, "openapi", capsys=capsys)
    assert code == 0
    assert '"/v1/dead-letters"' in out


async def test_filter_chooses_what_is_replayed_or_discarded(
    ledger: Harness, shared_faults: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    async def settle(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, lambda: ledger.service, ["dead-letter", *arguments, *reason])
        taken = capsys.readouterr()
        return code, (taken.out + taken.err).rstrip("\n").rpartition("\n")[2]

    reason = ("--reason", "the bug is mended")
    shared_faults.refuse, shared_faults.poison = {1, 2}, {3}
    await ledger.deliver(*(Added(account_id=uuid4(), number=n) for n in (1, 2, 3)))
    topic = ledger.service.consumers[0].table[0].topic.name
    for arguments, taken in (
        (("--all",), 3),
        (("--consumer", "numbers"), 3),
        (("--consumer", "another"), 0),
        (("--topic", topic), 3),
        (("--topic", "another"), 0),
        (("--reason-code", "not-wanted"), 2),
        (("--reason-code", "handler-failed", "--topic", topic), 1),
        (("--parked-before", "2020-01-01T00:00:00+00:00"), 0),
        (("--parked-before", "2999-01-01T00:00:00+00:00"), 3),
    ):
        assert await settle("replay", *arguments, "--dry-run") == (
            0,
            f"replay: {taken} record(s) would be taken",
        )
    assert await ledger.fetch("SELECT 1 FROM chassis.audit") == []
    assert await settle("discard", "--reason-code", "handler-failed") == (0, "discard: 1 record(s) done")
    assert await settle("replay", "--all") == (0, "replay: 2 record(s) done")
    requested = await ledger.fetch("SELECT 1 FROM chassis.parked_key WHERE replay_requested_at IS NOT NULL")
    assert len(requested) == 2
    for arguments in ((), (str(uuid4()), "--all")):
        code, said = await settle("replay", *arguments)
        assert (code, said[:16]) == (2, "error: name one ")


async def test_audit_is_verified_and_the_broken_row_is_named(
    ledger: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    async def verify(*noted: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, lambda: ledger.service, ["audit", "verify", *noted])
        return code, capsys.readouterr().out.rstrip("\n")

    for _ in range(3):
        async with ledger.transactions.begin() as tx:
            tx.audit(Act.DISCLOSED, "kim", uuid4(), "a call")
    code, said = await verify()
    assert (code, said.endswith(": as written")) == (0, True)
    head = said.split()[4].removesuffix(":")
    assert (await verify("--noted", head))[0] == 0
    await ledger.owner.execute("DELETE FROM chassis.audit WHERE seq = 3")
    assert (await verify())[0] == 0
    code, said = await verify("--noted", head)
    assert (code, "row 3 is missing" in said) == (1, True)
    await ledger.owner.execute("UPDATE chassis.audit SET actor = 'nobody' WHERE seq = 2")
    code, said = await verify()
    assert (code, said.endswith("row 2 was changed")) == (1, True)
