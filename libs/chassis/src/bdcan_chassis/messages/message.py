"""A message: what somebody is to hear, about what, until when; and the states that it goes through.

    queued → sending → sent
                     → queued     not now: the server was away, or asked for patience
                     → failed     each channel refused this recipient
                     → given-up   it was tried MOST_ATTEMPTS times
    queued → dropped              too late, opted out, gone, or true no more

A message holds ids, codes and times. Whoever sends it asks the service for the name and the address, and keeps neither.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.ids import derived_id
from bdcan_chassis.table import Table

MOST_ATTEMPTS = 120
"""With the pauses of the gateway (half an hour at most) a server may be away for more than a day."""

PASS = "messages"  # noqa: S105 # no password
"""The name of the gateway that sends."""


class Channel(StrEnum):
    """How a message reaches somebody."""

    EMAIL = "email"
    TEXT = "text"


class MessageState(StrEnum):
    """Where a message is. The last four are ends."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    GIVEN_UP = "given-up"
    DROPPED = "dropped"


class Message(Struct, frozen=True):
    """One message to one recipient. Times are domain time.

    `recipient_kind` tells the service's resolver what `recipient_id` is. `subject_id`: what it is about. `due_at`: from when on it may be
    sent. `next_at`: when a gateway looks next; while it is being sent, the end of the lease. `in_doubt`: an attempt may have reached the
    recipient. `refused`: channels that will never take it. `problem`: a code of why it was not sent.
    """

    message_id: UUID
    kind: str
    recipient_kind: str
    recipient_id: UUID
    subject_id: UUID
    told_at: datetime
    due_at: datetime
    next_at: datetime
    expires_at: datetime
    codes: dict[str, str] = {}
    any_hour: bool = False
    state: MessageState = MessageState.QUEUED
    attempts: int = 0
    in_doubt: bool = False
    channel: Channel | None = None
    refused: tuple[Channel, ...] = ()
    provider_id: str | None = None
    problem: str | None = None
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nobody sends it any more."""
        return self.state not in {MessageState.QUEUED, MessageState.SENDING}

    @property
    def result(self) -> str:
        """What became of it, for the metrics: its state, or why it was dropped."""
        return (self.problem or "") if self.state is MessageState.DROPPED else self.state


class Kind(Struct, frozen=True):
    """A kind of message. A service lists its kinds; each has a template for `en`.

    `words`: the placeholders that its templates may use. `lasts`: after so much domain time it is too late to send it. `any_hour`: it is
    sent at night, too. `texts`: it may go as a text message, which costs money.
    """

    name: str
    words: frozenset[str]
    lasts: timedelta = timedelta(days=3)
    any_hour: bool = False
    texts: bool = True

    def to(
        self,
        recipient_kind: str,
        recipient_id: UUID,
        subject_id: UUID,
        occasion: str,
        now: datetime,
        *,
        not_before: datetime | None = None,
        expires_at: datetime | None = None,
        codes: dict[str, str] | None = None,
    ) -> Message:
        """The message of this kind to somebody. The same recipient, subject and occasion are the same message, however often it is recorded.

        `codes`: what the template needs besides what the resolver looks up. No personal data.
        """
        due_at = max(now, not_before or now)
        return Message(
            derived_id(subject_id, f"message:{self.name}:{recipient_id}:{occasion}"),
            self.name,
            recipient_kind,
            recipient_id,
            subject_id,
            told_at=now,
            due_at=due_at,
            next_at=due_at,
            expires_at=expires_at or due_at + self.lasts,
            codes=codes or {},
            any_hour=self.any_hour,
        )


def wait_until(message: Message, due_at: datetime) -> Message:
    """It may be sent from then on: quiet hours. Who may have sent it before a crash is still asked then."""
    return replace(
        message,
        state=MessageState.QUEUED,
        in_doubt=_is_in_doubt(message),
        due_at=due_at,
        next_at=due_at,
    )


def claim(message: Message, lease_until: datetime) -> Message:
    """A gateway sends it now."""
    return replace(
        message,
        state=MessageState.SENDING,
        attempts=message.attempts + 1,
        in_doubt=_is_in_doubt(message),
        next_at=lease_until,
    )


def _is_in_doubt(message: Message) -> bool:
    """Whether it may have been sent. One whose lease has run out may have been, by a process that crashed."""
    return message.in_doubt or message.state is MessageState.SENDING


def sent(message: Message, channel: Channel, provider_id: str | None, now: datetime) -> Message:
    """The channel's server has it. That is the truth, also if the message was dropped in the meantime."""
    return replace(
        message,
        state=MessageState.SENT,
        channel=channel,
        provider_id=provider_id,
        problem=None,
        in_doubt=False,
        ended_at=now,
    )


def refuse(message: Message, channel: Channel, problem: str, now: datetime, *, others: bool) -> Message:
    """The channel will never take it for this recipient. It goes by another one, if the recipient has `others`."""
    refused = (*message.refused, channel)
    if others:
        return replace(
            message,
            state=MessageState.QUEUED,
            refused=refused,
            problem=problem,
            in_doubt=False,
            next_at=now,
        )
    return replace(
        message, state=MessageState.FAILED, refused=refused, channel=channel, problem=problem, ended_at=now
    )


def not_now(
    message: Message, problem: str, next_at: datetime, now: datetime, *, in_doubt: bool, counts: bool = True
) -> Message:
    """It is tried again later. `counts`: the attempt is one of MOST_ATTEMPTS."""
    attempts = message.attempts if counts else message.attempts - 1
    doubt = message.in_doubt or in_doubt
    if attempts >= MOST_ATTEMPTS:
        return replace(message, state=MessageState.GIVEN_UP, problem=problem, in_doubt=doubt, ended_at=now)
    return replace(
        message,
        state=MessageState.QUEUED,
        attempts=attempts,
        problem=problem,
        in_doubt=doubt,
        next_at=next_at,
    )


def drop(message: Message, reason: str, now: datetime) -> Message:
    """Nobody needs it any more. `reason` is a code: expired, opted-out, no-address, gone, outdated, erased."""
    return replace(message, state=MessageState.DROPPED, problem=reason, ended_at=now)


MESSAGE = Table("chassis.message", Message, key="message_id", stamp=None)

# Messages that a gateway may claim now, the longest due first. Skips those that another process has locked.
LOCK_DUE = MESSAGE.query(
    """
    SELECT {columns} FROM chassis.message WHERE state IN ('queued', 'sending') AND next_at <= :now
    ORDER BY next_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    """
)

# Messages that nobody has sent yet, to some recipients or about some subjects, locked in the order of their ids.
LOCK_OPEN_ABOUT = MESSAGE.query(
    """
    SELECT {columns} FROM chassis.message
    WHERE (recipient_id = ANY (:ids) OR subject_id = ANY (:ids)) AND state IN ('queued', 'sending')
    ORDER BY message_id FOR NO KEY UPDATE
    """
)
