"""What strangers wrote is shown without what acts on a terminal or forges a line, by each command that shows it."""

from __future__ import annotations

import io
import json
from uuid import uuid4

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from ledger import Added

from bdcan_chassis import logs
from bdcan_chassis.audit import Act
from bdcan_chassis.cli import main
from bdcan_chassis.printable import printable, printable_json
from bdcan_chassis.testing.harness import FakeRecord, Harness

ACTING = {
    "C0": "\x07",
    "escape": "\x1b[31m",
    "clipboard": "\x1b]52;c;Y3VybA==\x07",
    "forged line": "\r\n018f0000-0000-7000-8000-000000000000  parked    forged",
    "tab": "\t",
    "delete": "\x7f",
    "C1": "\x9b31m",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "isolate": "\u2067",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
    "private use": "\ue000",
}


@pytest.fixture(params=list(ACTING.values()), ids=list(ACTING))
def acting(request: pytest.FixtureRequest) -> str:
    return request.param


async def shown(ledger: Harness, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    import asyncio

    capsys.readouterr()
    assert await asyncio.to_thread(main, lambda: ledger.service, list(arguments)) == 0
    return capsys.readouterr().out


async def test_nothing_acts_in_what_dead_letter_commands_show(
    ledger: Harness, acting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ledger.record(Added(account_id=uuid4(), number=1))
    headers = [
        (name, f"bdcan.{acting}.v1".encode() if name == "ce_type" else value) for name, value in good.headers
    ]
    headers.append((f"x{acting}", acting.encode()))
    await ledger.deliver(
        FakeRecord(
            good.topic, 0, good.offset, good.timestamp, f"key{acting}".encode(), headers, acting.encode()
        )
    )
    [letter] = await ledger.fetch("SELECT id FROM chassis.dead_letter")
    why = ("--reason", f"because{acting}")
    lines = {
        "list": await shown(ledger, capsys, "dead-letter", "list"),
        "dry run": await shown(ledger, capsys, "dead-letter", "replay", "--all", "--dry-run", *why),
        "show": await shown(ledger, capsys, "dead-letter", "show", str(letter["id"]), *why),
        "audit": await shown(ledger, capsys, "audit", "list"),
    }
    for command, text in lines.items():
        assert acting not in text, command
        assert all(line.isprintable() for line in text.split("\n")), command
        assert printable(acting) in text, command
    assert lines["list"].count("\n") == 2, "a record is one line"


async def test_nothing_acts_in_an_account_that_the_audit_names(
    ledger: Harness, acting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ledger.transactions.begin() as tx:
        tx.audit(Act.DISCLOSED, f"kim{acting}", uuid4(), "", purpose=acting)
    text = await shown(ledger, capsys, "audit", "list")
    assert acting not in text
    assert text.count("\n") == 2


def test_nothing_acts_in_a_log_line(acting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure_logging("ledger", "test", "INFO", ())
    written = io.StringIO()
    monkeypatch.setattr(logs._out, "stream", written)
    logs.get_logger("test").info("seen", key=acting)
    line = written.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert json.loads(line)["key"] == acting


@examples(st.text())
def test_what_is_shown_never_acts_and_is_never_confused(text: str) -> None:
    assert printable(text).isprintable()
    assert printable_json(json.dumps(text, ensure_ascii=False)).isprintable()
    with_escapes = text.encode("unicode_escape").decode()
    assert printable(with_escapes) != printable(text) or with_escapes == text


@examples(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_json(text: str) -> None:
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text


def test_names_of_people_stay_readable() -> None:
    assert printable("Zoë Ní Bhriain, 李小龙, أمينة") == "Zoë Ní Bhriain, 李小龙, أمينة"
