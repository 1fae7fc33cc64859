"""The gateway that sends messages.

It claims messages in one transaction, by a lease in their rows. It asks the service where each goes and sends it, without an open
transaction, and writes the result in another one. After a crash in between, the lease expires. The message is then in doubt: the channel is
asked whether it has it (text messages), or it is sent again under the same number (e-mail).
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import assert_never

import httpx
from msgspec import Struct

from bdcan_chassis.clock import Clock
from bdcan_chassis.logs import get_logger
from bdcan_chassis.messages import mail, notify
from bdcan_chassis.messages import message as rules
from bdcan_chassis.messages.answers import Addressee, Answer, Dropped, NotNow, Refused, Resolve, Sent
from bdcan_chassis.messages.book import Messages
from bdcan_chassis.messages.message import LOCK_DUE, PASS, Channel, Message
from bdcan_chassis.messages.settings import MessageSettings
from bdcan_chassis.messages.templates import Rendered, Templates
from bdcan_chassis.passes import Gateway
from bdcan_chassis.step import Step
from bdcan_chassis.tracing import calling
from bdcan_chassis.transaction import Transactions, Tx

log = get_logger(__name__)

_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(minutes=30)
_LOOK_FOR_A_WAY = timedelta(minutes=5)
_RESOLVE_SECONDS = 10.0

NO_WAY = "no-way-to-send"
"""The problem of a message for whose channels no server is configured."""


class _Outcome(Struct, frozen=True):
    """What became of an attempt, by which channel, and whether the recipient has another one."""

    answer: Answer | Dropped
    channel: Channel | None = None
    others: bool = False
    counts: bool = True


class Messenger(Struct, frozen=True):
    """Sends the messages of one service. `resolve` is the service's; templates are data in its package."""

    settings: MessageSettings
    templates: Templates
    resolve: Resolve

    def gateway(self) -> Gateway:
        """The gateway that the service lists among its own."""
        return Gateway(PASS, self, timedelta(seconds=2))

    async def __call__(self, transactions: Transactions) -> int:
        """Send the messages that may be sent now; returns how many ended."""
        claimed = await self._claim(transactions)
        if not claimed:
            return 0
        async with notify.notify_client(self.settings) as client:
            ended = await asyncio.gather(*(self._deliver(transactions, one, client) for one in claimed))
        return sum(ended)

    async def _claim(self, transactions: Transactions) -> list[Message]:
        claimed = []
        async with transactions.begin() as tx:
            book = Messages(tx)
            lease_until = tx.now + _domain_span(transactions.clock, self.settings.message_lease)
            for found in await book.lock(LOCK_DUE, now=tx.now, limit=self.settings.messages_at_once):
                after = _claimed(found, tx, lease_until)
                book.put(Step(after))
                if after.state is rules.MessageState.SENDING:
                    claimed.append(after)
            await book.save()
        return claimed

    async def _deliver(self, transactions: Transactions, message: Message, client: httpx.AsyncClient) -> bool:
        outcome = await self._attempt(transactions, message, client)
        async with transactions.begin() as tx:
            book = Messages(tx)
            for known in await book.lock_keys(
                [message.message_id]
            ):  # none: retention or an erasure has taken it
                book.put(Step(self._after(known, message, outcome, tx, transactions.clock)))
            await book.save()
        if isinstance(outcome.answer, (Refused, NotNow)):
            log.warning(
                "message.not_sent",
                message_id=str(message.message_id),
                kind=message.kind,
                problem=outcome.answer.problem,
                attempt=message.attempts,
            )
        return isinstance(outcome.answer, (Sent, Dropped))

    def _after(self, known: Message, claimed: Message, outcome: _Outcome, tx: Tx, clock: Clock) -> Message:
        answer = outcome.answer
        if (
            isinstance(answer, Sent)
            and outcome.channel is not None
            and known.state is not rules.MessageState.SENT
        ):
            return rules.sent(known, outcome.channel, answer.provider_id, tx.now)
        if known.has_ended or known.attempts != claimed.attempts:
            return known  # dropped in the meantime, or the lease expired and another pass has it
        match answer:
            case Refused(problem) if outcome.channel is not None:
                return rules.refuse(known, outcome.channel, problem, tx.now, others=outcome.others)
            case NotNow(problem, in_doubt):
                wait = _pause(claimed, answer) if outcome.counts else _LOOK_FOR_A_WAY
                next_at = tx.now + _domain_span(clock, wait)
                return rules.not_now(
                    known, problem, next_at, tx.now, in_doubt=in_doubt, counts=outcome.counts
                )
            case Dropped(reason):
                return rules.drop(known, reason, tx.now)
            case Sent() | Refused():
                return known
            case _:
                assert_never(answer)

    async def _attempt(
        self, transactions: Transactions, message: Message, client: httpx.AsyncClient
    ) -> _Outcome:
        """One attempt, from looking up the recipient to the answer of a channel."""
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self.resolve(transactions, message)
        except TimeoutError:
            return _Outcome(NotNow("recipient-unknown"))
        if not isinstance(found, Addressee):
            return _Outcome(found)
        kind = self.templates.kinds.get(message.kind)
        if kind is None:  # a release before this one wrote it, or one after
            return _Outcome(NotNow("kind-unknown"))
        left = {
            channel: address
            for channel, address in found.addresses.items()
            if channel not in message.refused and (channel is not Channel.TEXT or kind.texts)
        }
        if not left:
            return _Outcome(Dropped("no-address"))
        channel = next((one for one in left if self._is_on(one)), None)
        if channel is None:
            return _Outcome(NotNow(NO_WAY), counts=False)
        try:
            rendered = self.templates.render(message.kind, found.language, channel, found.words)
        except KeyError:
            return _Outcome(NotNow("words-missing"))
        answer = await self._send(client, channel, message, left[channel], rendered)
        return _Outcome(answer, channel, others=len(left) > 1)

    def _is_on(self, channel: Channel) -> bool:
        return (mail if channel is Channel.EMAIL else notify).is_on(self.settings)

    async def _send(
        self, client: httpx.AsyncClient, channel: Channel, message: Message, to: str, rendered: Rendered
    ) -> Answer:
        with calling(f"send {channel}", message.message_id):
            if channel is Channel.EMAIL:
                return await mail.send_mail(self.settings, message, to, rendered)
            try:
                async with asyncio.timeout(2 * self.settings.notify_timeout.total_seconds()):
                    return await notify.send_text(client, self.settings, message, to, rendered)
            except TimeoutError:
                return NotNow("notify-silent", in_doubt=True)


def _claimed(found: Message, tx: Tx, lease_until: datetime) -> Message:
    """What a pass makes of a message whose turn it is: it is too late, it is night, or it is sent."""
    if tx.now >= found.expires_at:
        return rules.drop(found, "expired", tx.now)
    if not found.any_hour and not tx.calendar.may_ring(tx.now):
        return rules.wait_until(found, tx.calendar.next_calling(tx.now))
    return rules.claim(found, lease_until)


def _pause(message: Message, answer: NotNow) -> timedelta:
    """The pause before the next attempt, in real time: it doubles each time, with jitter, up to a limit."""
    wait = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(message.attempts - 1, 10))
    jittered = wait * random.uniform(0.5, 1.0)  # noqa: S311 # jitter needs no secrecy
    return max(jittered, answer.wait or timedelta())


def _domain_span(clock: Clock, real: timedelta) -> timedelta:
    """The domain time that passes in a span of real time. Leases and pauses are real time, because they concern machines."""
    return real / clock.real_seconds(timedelta(seconds=1))
