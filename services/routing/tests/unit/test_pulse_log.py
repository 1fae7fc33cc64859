"""A healthy pulse logs no error when a record comes after a long pause."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest
from faust.transport.drivers.aiokafka import SLOW_PROCESSING_STREAM_IDLE
from mode.utils.logging import CompositeLogger

from bdcan_routing.pulse import IdleIsNoFault


class Keeping(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self._records.append(record)


@pytest.fixture
def said() -> tuple[CompositeLogger, list[logging.LogRecord]]:
    logger, records = logging.getLogger(f"toy-{uuid4()}"), list[logging.LogRecord]()
    handler = Keeping(records)
    logger.addHandler(handler)
    logger.addFilter(IdleIsNoFault())
    return CompositeLogger(logger, lambda _severity, msg, *_args, **_more: f"[^-Consumer]: {msg}"), records


def test_stream_that_was_idle_once_is_no_error(said):
    log, records = said
    log.error(SLOW_PROCESSING_STREAM_IDLE, "demand-0", "an hour ago")
    log.error(SLOW_PROCESSING_STREAM_IDLE, "demand-1", "an hour ago")
    assert records == []


def test_stream_that_stays_stopped_is_an_error(said):
    log, records = said
    for _ in range(3):
        log.error(SLOW_PROCESSING_STREAM_IDLE, "demand-0", "an hour ago")
    assert len(records) == 2


def test_other_errors_pass(said):
    log, records = said
    log.error("No active partitions for demand-0")
    assert len(records) == 1
