"""JSON logs, one object a line, without personal data.

Three fences keep it out:

1. Fields whose names the contracts mark as personal are blanked at any depth of a log call.
2. An exception is logged as its class and the places it passed through, never with its message: a database error quotes
   the row, a validation error the input.
3. Only the first line of a library's message is kept. An argument in it that is not plain text or a number is replaced
   by its type, because asyncio and Faust put exceptions there.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from bdcan_chassis.printable import printable_json
from bdcan_chassis.tracing import name_trace

REDACTED = "[personal]"

_DEEPEST = 8
_PLAIN = (str, int, float, bool)


class DropPersonalData:
    """A structlog processor that blanks personal fields at any depth."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = frozenset(fields)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Blank what the contracts mark as personal."""
        return self._clean(event, 0)

    def _clean(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:  # a structure may contain itself
            return type(value).__name__
        if isinstance(value, dict):
            return {
                k if type(k) is str else str(self._clean(k, depth)): REDACTED
                if k in self._fields and k != "event"
                else v
                if type(v) in _PLAIN  # most are: no call for them
                else self._clean(v, depth + 1)
                for k, v in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(v, depth + 1) for v in value]
        if value is None or isinstance(value, _PLAIN):
            return value
        return str(value) if type(value).__module__ in {"uuid", "datetime"} else type(value).__name__


def exception_place(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its class and the places it passed through; its message may quote what a person sent."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["at"] = [
            f"{f.filename.rpartition('/')[2]}:{f.lineno}:{f.name}"
            for f in traceback.extract_tb(error.__traceback__)
        ][-8:]
    return event


def library_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Format a message that came through the standard library; see the module's third fence."""
    record: logging.LogRecord = event["_record"]
    given = event.pop("positional_args", None)
    text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    arguments = (
        {k: _plain(v) for k, v in given.items()}
        if isinstance(given, dict)
        else tuple(map(_plain, given or ()))
    )
    if arguments:
        with suppress(
            TypeError, ValueError, KeyError
        ):  # the library made a mistake: only its template can be logged
            text = text % arguments
    event["event"] = text.partition("\n")[0]
    return event


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, _PLAIN) else type(value).__name__


def _dumps(event: Any, **_: Any) -> str:
    try:
        return printable_json(orjson.dumps(event).decode())
    except TypeError:  # an integer above 64 bits, half of a surrogate pair: slower, but escaped
        return json.dumps(event)


class _Out:
    """Where the lines go. Loggers are made once and keep it; `configure_logging` says anew where that is."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self.processors: list[Any] = []

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """A structlog processor: write our own line here and now. The standard library would take as long again."""
        line: Any = event
        for processor in self.processors:
            line = processor(logger, method, line)
        with suppress(OSError, ValueError):  # a full disk or a closed pipe: a log line stops no work
            self.stream.write(line + "\n")
            self.stream.flush()
        raise structlog.DropEvent


_out = _Out()


def configure_logging(service: str, process: str, level: str, personal_fields: Iterable[str]) -> None:
    """Send structlog's and the standard library's logs to standard output as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exception_place,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _out,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        event.setdefault("process", process)
        return event

    last = [stamp, DropPersonalData(personal_fields), structlog.processors.JSONRenderer(serializer=_dumps)]
    _out.stream, _out.processors = sys.stdout, last
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[library_message, *shared],
            use_get_message=False,
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy, at in (
        ("aiokafka", "WARNING"),
        ("uvicorn.access", "ERROR"),
        ("httpx", "WARNING"),
        ("asyncio", "WARNING"),
        ("opentelemetry", "ERROR"),
    ):
        logging.getLogger(noisy).setLevel(at)
    for name in ("uvicorn", "uvicorn.error", "faust", "mode"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event name and fields: `log.info("outbox.sent", rows=12)`."""
    return structlog.stdlib.get_logger(name)
