"""What a channel's server answered, and what a resolver found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TypeAlias

from msgspec import Struct

from bdcan_chassis.messages.message import Channel, Message
from bdcan_chassis.transaction import Transactions


class Sent(Struct, frozen=True):
    """The server has taken it."""

    provider_id: str | None = None


class Refused(Struct, frozen=True):
    """The server will never take it for this recipient."""

    problem: str


class NotNow(Struct, frozen=True):
    """Try again. `in_doubt`: the server may have taken it. `wait`: it asked for so much patience, in real time."""

    problem: str
    in_doubt: bool = False
    wait: timedelta | None = None


Answer: TypeAlias = Sent | Refused | NotNow


class Addressee(Struct, frozen=True):
    """Where a message goes and what it says. It exists while a message is being sent, and nobody keeps or logs it.

    `addresses`: by channel, the preferred one first, without those that the person has opted out of. `words`: the placeholders.
    """

    addresses: Mapping[Channel, str]
    words: Mapping[str, str]
    language: str = "en"


class Dropped(Struct, frozen=True):
    """Nobody needs the message any more. `reason`: opted-out, no-address, gone, outdated."""

    reason: str


Resolve: TypeAlias = Callable[[Transactions, Message], Awaitable[Addressee | Dropped | NotNow]]
"""A service's answer to: who gets this, where, in which language, and is it still true?"""
