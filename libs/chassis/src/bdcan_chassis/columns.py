"""What each column of a table says about people. A service lists its tables in `store/columns.py`; a test misses no column.

`docs/privacy.md` shows the lists, with how long each column is kept and what an erasure does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, by what they say.

    `person`: who somebody is, how they live, or what somebody wrote about them. `ids`: numbers behind which there is a person.
    `accounts`: names of accounts of staff and machines. `plain`: codes, times and counts that are about nobody once the person is gone.
    `ends`: what ends a person's or an account's columns where no kind of record does.
    """

    table: str
    person: str = ""
    ids: str = ""
    accounts: str = ""
    plain: str = ""
    ends: str = ""

    @property
    def about_people(self) -> tuple[str, ...]:
        """The columns that have to end at some time."""
        return (*self.person.split(), *self.accounts.split())

    @property
    def all(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.about_people, *self.ids.split(), *self.plain.split())


CHASSIS_COLUMNS = (
    Columns(
        "chassis.audit",
        person="reason",
        ids="subject_id",
        accounts="actor",
        plain="seq id at act detail reason_salt reason_digest previous_hash hash",
    ),
    Columns(
        "chassis.dead_letter",
        person="record_key headers body event_type error",
        plain="seq id consumer topic record_partition record_offset record_time state reason taken parked_at"
        " settled_at replay_requested_at",
    ),
    Columns(
        "chassis.dead_letter_audit",
        person="reason",
        accounts="actor",
        plain="seq dead_letter_id act acted_at",
        ends="always empty: rows of the release before go on to the audit",
    ),
    Columns("chassis.deadline", ids="subject", plain="kind due_at failures last_error"),
    Columns(
        "chassis.erasure",
        ids="subject_id",
        plain="erasure_id requested_at erase_by waits_for erased_at",
    ),
    Columns(
        "chassis.idempotency_key",
        person="body",
        accounts="caller",
        plain="key request_hash status created_at",
    ),
    Columns("chassis.inbox", plain="consumer event_key received_at"),
    Columns(
        "chassis.message",
        ids="recipient_id subject_id",
        plain="message_id kind recipient_kind codes any_hour told_at due_at next_at expires_at state attempts in_doubt"
        " channel refused provider_id problem ended_at",
    ),
    Columns(
        "chassis.outbox",
        person="body",
        ids="record_key",
        plain="traffic_class seq id topic headers created_at",
        ends="a row goes when Kafka has the record; see below how long Kafka keeps it",
    ),
    Columns(
        "chassis.parked_key",
        person="record_key",
        plain="consumer topic parked_at replay_requested_at",
        ends="a row goes when the dead letters of the key are settled, and when the person is erased",
    ),
    Columns(
        "chassis.pause",
        accounts="actor",
        plain="loop ends_at paused_at reason",
        ends="a row goes when the pause ends; the audit keeps who asked for it",
    ),
    Columns("chassis.trace", ids="subject", plain="traceparent moved_at"),
)
"""The tables of every service."""

COLUMNS = CHASSIS_COLUMNS
"""Under the name that the list has in every package with tables."""


def columns_in(packages: Iterable[str]) -> list[Columns]:
    """What these packages with tables say of their columns; nothing where they have no module `columns`."""
    modules = (f"{package}.columns" for package in packages)
    return [one for module in modules if find_spec(module) for one in import_module(module).COLUMNS]
