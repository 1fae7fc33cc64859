"""JSON logs, one object a line, that never hold personal data.

Two fences: fields whose names the contracts mark as personal are dropped wherever they turn up in a log call,
and an exception is logged as its class and the places it passed through, never its message (a database error
quotes the row, a validation error the input).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

REDACTED = "[personal]"


class DropPersonalData:
    """A structlog processor that blanks personal fields at any depth."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = frozenset(fields)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Blank what the contracts mark as personal."""
        return self._clean(event)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                str(k): REDACTED if k in self._fields and k != "event" else self._clean(v)
                for k, v in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(v) for v in value]
        if value is None or isinstance(value, str | int | float | bool):
            return value
        return str(value) if type(value).__module__ in {"uuid", "datetime"} else type(value).__name__


def exception_place(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its class and where it came from; its message may quote what a person sent."""
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


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event).decode()


def configure_logging(service: str, process: str, level: str, personal_fields: Iterable[str]) -> None:
    """Send structlog's and the standard library's logs to standard output as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exception_place,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        event.setdefault("process", process)
        return event

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                stamp,
                DropPersonalData(personal_fields),
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
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
    ):
        logging.getLogger(noisy).setLevel(at)
    for name in ("uvicorn", "uvicorn.error", "faust", "mode"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event name and fields: `log.info("outbox.sent", rows=12)`."""
    return structlog.stdlib.get_logger(name)
