"""The errors of the chassis, and which failures are transient.

    ChassisError
    ├── BadRecordError           raised by a handler: this record can never be handled; it is parked with the reason
    ├── StoppedConsumerError     too many records were parked: the consumer stops until an operator has looked
    └── ConfigurationError       the process cannot run with its configuration

Any other error is *transient* (see `is_transient`) or a bug in a handler. After a transient error the whole batch is
retried, for ever. After a bug the record is parked, as with BadRecordError.
"""

from __future__ import annotations

import asyncpg
from aiokafka.errors import KafkaError


class ChassisError(Exception):
    """Base of the chassis's own errors."""


class BadRecordError(ChassisError):
    """The record is readable but can never be handled. `reason` is a short code; the message is for an operator."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoppedConsumerError(ChassisError):
    """Too many records are parked. Nothing of this batch was committed, and the consumer reads no more."""


class ConfigurationError(ChassisError):
    """The process cannot run with its configuration; the message says what to change."""


DATABASE_ERRORS = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that ends between two statements (asyncpg issues 784, 1069)
)
"""All that talking to the database can raise; `is_transient` says which of it passes."""

_PASSES = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.TransactionRollbackError,  # class 40: deadlock, serialization
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, statement time-out, cannot connect now
    asyncpg.PostgresSystemError,  # class 58: I/O errors below the database
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # the primary moved: the next connection finds it
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # a protocol state broken by a lost connection
    asyncpg.InvalidAuthorizationSpecificationError,  # credentials are being rotated, or the role is being made
    asyncpg.InvalidCatalogNameError,  # the database is being made
    asyncpg.UndefinedTableError,  # the migration has not run yet: any order of start
    asyncpg.UndefinedColumnError,
    OSError,
    TimeoutError,
    KafkaError,
)


def is_transient(error: BaseException) -> bool:
    """Whether a retry can succeed without a change to the record or the code.

    A missing table is transient: services start in any order, and a rolled-back release must not park a topic.
    """
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg uses the same class for a lost connection and a misused one
        text = str(error)
        return "connection" in text or "pool is clos" in text
    return isinstance(error, _PASSES)


def describe(error: BaseException) -> str:
    """The error for an operator: its class, where in a service's code it arose, and its first line.

    The DETAIL that quotes a row's values is left out. All before the first colon is the same for the same fault.
    """
    first = (str(error).splitlines() or [""])[0]
    return storable(f"{type(error).__name__}{_place(error)}: {first}")


def _place(error: BaseException) -> str:
    """The innermost function of a service that the error went through; empty where it went through none."""
    place, step = "", error.__traceback__
    while step is not None:
        module = step.tb_frame.f_globals.get("__name__", "")
        if module.startswith("bdcan_") and not module.startswith("bdcan_chassis"):
            place = f" in {module}.{step.tb_frame.f_code.co_qualname}"
        step = step.tb_next
    return place


def storable(text: str) -> str:
    """Text that may quote a foreign record, in a form that a column can hold: short, no NUL, no half character."""
    return text[:500].replace("\x00", "").encode("utf-8", "replace").decode()
