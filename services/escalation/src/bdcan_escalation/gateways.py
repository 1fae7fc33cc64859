"""The gateways to Community Solutions.

A gateway claims a case in one transaction, by a lease in its row. It asks intake for the person and sends the case without
an open transaction. It writes the result in another one. After a crash in between, the lease expires and the case is
sent again with the same key. A case that cannot be sent keeps the reason and is retried at growing intervals. No case is
dropped.

Safeguarding has its own gateway: it waits for no other case, not even for one that times out.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import assert_never

import httpx
from msgspec import Struct

from bdcan_chassis.clock import Clock
from bdcan_chassis.http.clients import private_client
from bdcan_chassis.logs import get_logger
from bdcan_chassis.passes import Gateway
from bdcan_chassis.tracing import calling
from bdcan_chassis.transaction import Transactions
from bdcan_contracts.models import EscalationKind
from bdcan_escalation import store
from bdcan_escalation.books import FORWARD, FORWARD_SAFEGUARDING, Escalations
from bdcan_escalation.council import Answer, NotTaken, Taken, Unknown, result_of, send
from bdcan_escalation.disclosure import DisclosureError, disclose
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.domain.escalation import Escalation
from bdcan_escalation.metrics import COUNCIL_REQUESTS, COUNCIL_SECONDS
from bdcan_escalation.settings import Settings

log = get_logger(__name__)

_FIRST_RETRY = timedelta(seconds=2)
_FIRST_RETRY_REFUSED = timedelta(seconds=30)
_MOST = {True: timedelta(minutes=1), False: timedelta(minutes=15)}
"""The longest wait between two attempts, for safeguarding and for the rest."""


def gateways(settings: Settings) -> tuple[Gateway, ...]:
    """The gateways that the worker runs."""
    return (
        Gateway(FORWARD_SAFEGUARDING, Forwarder(settings, safeguarding=True), timedelta(seconds=1)),
        Gateway(FORWARD, Forwarder(settings, safeguarding=False), timedelta(seconds=2)),
    )


class Forwarder(Struct, frozen=True):
    """Forwards some cases at a time."""

    settings: Settings
    safeguarding: bool

    async def __call__(self, transactions: Transactions) -> int:
        """Forward the cases that may be sent now; returns how many the council took."""
        claimed = await self._claim(transactions)
        if not claimed:
            return 0
        settings = self.settings
        async with (
            private_client(
                settings.intake_url,
                settings.intake_timeout,
                {"X-API-Key": settings.intake_api_key.get_secret_value()},
            ) as intake,
            private_client(
                settings.council_url,
                settings.council_timeout,
                {"X-API-Key": settings.council_api_key.get_secret_value()},
            ) as council,
        ):
            taken = await asyncio.gather(
                *(self._forward(transactions, escalation, intake, council) for escalation in claimed)
            )
        return sum(taken)

    async def _claim(self, transactions: Transactions) -> list[Escalation]:
        async with transactions.begin() as tx:
            escalations = Escalations(tx)
            found = await escalations.lock(
                store.escalations.LOCK_TO_FORWARD,
                now=tx.now,
                limit=self.settings.forward_at_once,
                safeguarding=self.safeguarding,
            )
            lease_until = tx.now + _domain_span(transactions.clock, self.settings.lease)
            claimed = [escalations.put(cases.claim(escalation, lease_until)) for escalation in found]
            await escalations.save()
        return claimed

    async def _forward(
        self,
        transactions: Transactions,
        escalation: Escalation,
        intake: httpx.AsyncClient,
        council: httpx.AsyncClient,
    ) -> bool:
        lane = "safeguarding" if self.safeguarding else "other"
        with COUNCIL_SECONDS.labels(lane).time():
            answer = await self._ask(escalation, intake, council)
        COUNCIL_REQUESTS.labels(lane, result_of(answer)).inc()
        async with transactions.begin() as tx:
            escalations = Escalations(tx)
            [now_known] = await escalations.lock_keys([escalation.escalation_id])
            match answer:
                case Taken(case_id, reference):
                    escalations.put(cases.taken(now_known, case_id, reference, tx.now))
                # another number of attempts: the lease expired, and another pass has the case
                case NotTaken() | Unknown() if now_known.attempts == escalation.attempts:
                    wait = _domain_span(transactions.clock, _backoff(escalation, answer))
                    doubt = isinstance(answer, Unknown)
                    escalations.put(cases.not_taken(now_known, answer.problem, tx.now + wait, in_doubt=doubt))
                case NotTaken() | Unknown():
                    pass
                case _:
                    assert_never(answer)
            await escalations.save()
        if not isinstance(answer, Taken):
            log.warning(
                "escalation.not_forwarded",
                escalation_id=str(escalation.escalation_id),
                kind=escalation.kind,
                problem=answer.problem,
                attempt=escalation.attempts,
            )
        return isinstance(answer, Taken)

    async def _ask(
        self, escalation: Escalation, intake: httpx.AsyncClient, council: httpx.AsyncClient
    ) -> Answer:
        """One attempt. httpx limits each read, this limits the whole answer: a slow one must not outlive the lease."""
        try:
            async with asyncio.timeout(self.settings.intake_timeout.total_seconds() + 1):
                with calling("disclose", escalation.escalation_id) as headers:
                    reason = f"escalation: {escalation.kind}"
                    disclosed = await disclose(intake, escalation.referral_id, reason, headers)
        except DisclosureError as error:
            return NotTaken(error.problem)
        except TimeoutError:
            return NotTaken("disclosure-unavailable")
        try:
            async with asyncio.timeout(self.settings.council_timeout.total_seconds() + 1):
                with calling("forward", escalation.escalation_id) as headers:
                    return await send(council, escalation, disclosed, headers)
        except TimeoutError:
            return Unknown("council-silent")


def _backoff(escalation: Escalation, answer: NotTaken | Unknown) -> timedelta:
    """The pause before the next attempt, in real time: it doubles each time, with jitter, up to a limit.

    The council may ask for a longer pause, up to the same limit.
    """
    refused = isinstance(answer, NotTaken) and answer.refused
    first = _FIRST_RETRY_REFUSED if refused else _FIRST_RETRY
    most = _MOST[escalation.kind is EscalationKind.SAFEGUARDING]
    wait = min(most, first * 2 ** min(escalation.attempts - 1, 10))
    jittered = wait * random.uniform(0.5, 1.0)  # noqa: S311 # jitter needs no secrecy
    return min(most, max(jittered, answer.wait or timedelta()))


def _domain_span(clock: Clock, real: timedelta) -> timedelta:
    """The domain time that passes in a span of real time. Leases and pauses are real time, because they concern machines."""
    return real / clock.real_seconds(timedelta(seconds=1))
