"""Logs are JSON lines that hold no personal data, whoever writes them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from ledger import Added
from mode import Service as ModeService
from pydantic import ValidationError

from bdcan_chassis.logs import REDACTED, configure_logging, get_logger
from bdcan_chassis.testing.harness import Harness

SECRET = "Rose Tremain 07700 900123"
FIELDS = frozenset({"phone", "name", "note"})


class Lines(io.StringIO):
    """Standard output, read as the log lines that it holds."""

    def take(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.getvalue().split("\n") if line]
        self.seek(0)
        self.truncate()
        return lines


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    out = Lines()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        configure_logging("toy", "test", "INFO", FIELDS)
    yield out
    root.handlers, _ = handlers, root.setLevel(level)


log = get_logger("toy.log")


def test_line_that_cannot_be_written_stops_no_work(lines: Lines) -> None:
    lines.close()
    log.info("thing.done", rows=3)


def test_log_call_is_one_line_with_who_and_when(lines: Lines) -> None:
    subject = uuid4()
    log.info("thing.done", rows=3, subject=subject, at_time=datetime(2020, 3, 23, tzinfo=UTC))
    log.debug("not.shown")
    [line] = lines.take()
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "event": "thing.done",
        "rows": 3,
        "subject": str(subject),
        "at_time": "2020-03-23 00:00:00+00:00",
        "level": "info",
        "logger": "toy.log",
        "service": "toy",
        "process": "test",
    }


def test_personal_fields_are_blanked_at_any_depth(lines: Lines) -> None:
    log.warning("x", phone=SECRET, of={"a": [{"name": SECRET}, ({"note": [SECRET]},)]}, fine="kept")
    [line] = lines.take()
    assert SECRET not in json.dumps(line)
    assert line["phone"] == line["of"]["a"][0]["name"] == line["of"]["a"][1][0]["note"] == REDACTED
    assert line["fine"] == "kept"


def test_logged_object_shows_only_its_type(lines: Lines) -> None:
    added = Added.model_construct(account_id=SECRET, number=1)
    log.info("x", thing=added, raw=SECRET.encode(), error=ValueError(SECRET), many={SECRET.encode()})
    [line] = lines.take()
    assert SECRET not in json.dumps(line)
    assert (line["thing"], line["raw"], line["error"], line["many"]) == (
        "Added",
        "bytes",
        "ValueError",
        ["bytes"],
    )


_LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.uuids()
    | st.just(object())
)
_TREE = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
        | st.fixed_dictionaries({"phone": st.just(SECRET) | st.just([SECRET]) | st.just({"a": SECRET})})
    ),
    max_leaves=15,
)


def test_any_value_gives_a_line_without_personal_data(
    lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    @settings(max_examples=300, deadline=None)
    @example({"big": 2**70})
    @example({"half": "\ud800"})
    @example({"\udfff": 1, "phone": SECRET})
    @example({1: {"phone": SECRET}})
    @for_all(_TREE)
    def write(value: Any) -> None:
        log.info("x", value=value, phone=SECRET)
        assert SECRET not in lines.getvalue()
        [line] = lines.take()
        assert line["phone"] == REDACTED

    write()
    assert "Logging error" not in capfd.readouterr().err


def test_value_that_contains_itself_is_logged(lines: Lines) -> None:
    endless: dict[str, Any] = {"phone": SECRET}
    endless["again"] = endless
    log.info("x", value=endless)
    assert SECRET not in lines.getvalue()
    [line] = lines.take()
    assert line["value"]["again"]["again"]["phone"] == REDACTED


async def database_error(ledger: Harness) -> BaseException:
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await ledger.fetch(
            "INSERT INTO account VALUES ($1, '{}'), ($1, '{}')", "07700900-1230-0000-0000-000000000000"
        )
    assert "07700900" in str(caught.value.detail)
    return caught.value


def pydantic_error() -> BaseException:
    with pytest.raises(ValidationError) as caught:
        Added.model_validate({"account_id": SECRET, "number": SECRET})
    assert "07700" in str(caught.value)
    return caught.value


async def test_error_that_quotes_input_is_logged_as_class_and_place(lines: Lines, ledger: Harness) -> None:
    configure_fields = {
        "UniqueViolationError": await database_error(ledger),
        "ValidationError": pydantic_error(),
    }
    for name, error in configure_fields.items():
        log.error("x", exc_info=error)
        logging.getLogger("some.library").error("it failed", exc_info=error)
        try:
            raise RuntimeError(SECRET) from error
        except RuntimeError:
            logging.getLogger("some.library").exception("it failed")
            log.exception("x")
        text = lines.getvalue()
        assert "07700" not in text
        assert "Traceback" not in text
        written = lines.take()
        assert [line["error"] for line in written] == [name, name, "RuntimeError", "RuntimeError"]
        assert all("test_logs.py" in " ".join(line["at"]) for line in written)


def test_error_inside_a_library_message_is_logged_as_its_class(
    lines: Lines,
) -> None:
    library = logging.getLogger("some.library")
    library.error("could not reach %s after %d tries: %r", "broker-1", 3, ValueError(SECRET))
    library.error("Error: %s", pydantic_error())
    library.warning("state %(state)s of %(thing)s", {"state": "up", "thing": {"phone": SECRET}})
    odd = logging.makeLogRecord({"msg": "odd %s %s", "args": (SECRET.encode(),), "levelno": logging.ERROR})
    logging.getLogger().handlers[0].handle(odd)
    library.warning("no arguments, 100%")
    library.error(ValueError(SECRET))
    text = lines.getvalue()
    assert "07700" not in text
    assert [line["event"] for line in lines.take()] == [
        "could not reach broker-1 after 3 tries: 'ValueError'",
        "Error: ValidationError",
        "state up of dict",
        "odd %s %s",
        "no arguments, 100%",
        "ValueError",
    ]


async def test_asyncio_does_not_quote_the_error_of_an_abandoned_task(
    lines: Lines,
) -> None:
    loop = asyncio.get_running_loop()

    async def fail() -> None:
        raise ValueError(SECRET)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    loop.default_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    )
    task.exception()
    assert "07700" not in lines.getvalue()
    [line] = lines.take()
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")


async def test_host_does_not_quote_the_error_of_a_dead_part(
    lines: Lines,
) -> None:
    await ModeService().crash(ValueError(SECRET))
    assert "07700" not in lines.getvalue()
    [line] = lines.take()
    assert line["event"].endswith("Crashed reason='ValueError'")


async def test_request_is_logged_as_route_and_status(lines: Lines, ledger: Harness) -> None:
    await ledger.http.get("/toy/hubs/07700900123")
    await ledger.http.get("/toy/hubs/07700900123?phone=07700900123")
    await ledger.http.get("/toy/bug")
    await ledger.http.get("/07700900123")
    await ledger.http.post("/toy/people", json={"name": SECRET})
    assert "07700" not in lines.getvalue()
    requests = [line for line in lines.take() if line["event"] == "http.request"]
    assert [(r["method"], r["route"], r["status"]) for r in requests] == [
        ("GET", "/toy/hubs/{hub}", 200),
        ("GET", "/toy/hubs/{hub}", 422),
        ("GET", "/toy/bug", 500),
        ("GET", "unmatched", 404),
        ("POST", "/toy/people", 422),
    ]
    assert all(r["request_id"] and r["trace"] for r in requests)
    assert requests[0]["caller"] == "key:test"
