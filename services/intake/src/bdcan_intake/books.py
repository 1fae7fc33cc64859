"""What a unit of work locks of referrals, residents and enquiries, and what a change of them brings with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from prometheus_client import Counter
from pydantic import BaseModel

from bdcan_chassis.book import Book, Change, Decide
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import InboundReferralClosed, SafeguardingConcernRaised
from bdcan_contracts.vocabulary import Channel
from bdcan_intake import store
from bdcan_intake.domain import news, timeline
from bdcan_intake.domain.doer import TaskInHand
from bdcan_intake.domain.enquiry import Enquiry
from bdcan_intake.domain.imports import Import
from bdcan_intake.domain.instruction import Instruction
from bdcan_intake.domain.known_event import KnownEvent
from bdcan_intake.domain.note import Note
from bdcan_intake.domain.referral import Referral
from bdcan_intake.domain.rights import Erasure
from bdcan_intake.domain.submission import Resident
from bdcan_intake.domain.timeline import Entry
from bdcan_intake.metrics import CLOSED, LATER_RECEIPTS, RECEIVED

T = TypeVar("T", bound=BaseModel)

_CHANNELS = frozenset(Channel)


class Told(NamedTuple):
    """What a sender hears of a change, and on which topic."""

    receipt: news.Receipt
    sender: str
    topic: str

    def emit(self, tx: Tx) -> None:
        """Publish the receipt, and count it."""
        tx.emit(self.receipt, topic=self.topic)
        kind = "closed" if isinstance(self.receipt, InboundReferralClosed) else "progressed"
        tx.count(LATER_RECEIPTS.labels(self.sender, kind))


class Referrals(Book[Referral]):
    """Referrals with their needs. Every event that is emitted or handled gets its entry in the timeline.

    `tells`: collects what senders hear of the changes. Whoever gives a list emits what is in it. Without one, `save` does.
    """

    table = store.referrals.REFERRAL

    def __init__(self, tx: Tx, tells: list[Told] | None = None) -> None:
        super().__init__(tx)
        self._tells = tells
        self._entries: list[Entry] = []
        self._written = 0

    def traffic_class(self, state: Referral, body: BaseModel) -> str | None:
        """The referral's own; a concern never waits in the bulk lane."""
        return None if isinstance(body, SafeguardingConcernRaised) else state.traffic_class

    def counts(self, change: Change[Referral]) -> Iterable[Counter]:
        """A referral that came in, or was closed."""
        before, after = change
        if before is None:
            yield RECEIVED.labels(after.channel if after.channel in _CHANNELS else "other")
        if after.outcome is not None and (before is None or before.outcome is None):
            yield CLOSED.labels(after.outcome)

    async def handle(
        self,
        batch: Batch[T],
        decide: Decide[Referral, T],
        *,
        key: Callable[[T], Any] = attrgetter("referral_id"),
    ) -> None:
        """As every book does. Each event gets its entry, also where the referral is unknown or stays as it is."""
        self.note(batch)
        await super().handle(batch, decide, key=key)

    def note(self, batch: Iterable[Event[Any]]) -> None:
        """Enter events of other services in the timeline."""
        self.enter(timeline.entry(event.key, event.type, event.time, event.data) for event in batch)

    def heard(self, event_id: UUID, body: BaseModel, _state: Referral) -> None:
        """Enter an event of intake's own in the timeline."""
        event_type = self.tx.catalogue.of(type(body)).type
        self.enter([timeline.entry(event_id, event_type, self.tx.now, body)])

    def enter(self, entries: Iterable[Entry]) -> None:
        """Add entries to the timeline."""
        self._entries.extend(entries)

    def entered(self, referral_id: UUID) -> list[Entry]:
        """What this unit has entered about a referral, in order."""
        return [entry for entry in self._entries if entry.referral_id == referral_id]

    async def follow(self, changes: Sequence[Change[Referral]]) -> None:
        """Write the entries, and tell the senders. An entry that is in the timeline already is left as it is."""
        self._tell(changes)
        new = self._entries[self._written :]
        self.tx.add(store.timeline.TIMELINE, new)
        self._written = len(self._entries)

    def _tell(self, changes: Sequence[Change[Referral]]) -> None:
        """Tell an upstream system that reads receipts what is news for whoever referred. A new referral is no news."""
        tx = self.tx
        for before, after in changes:
            upstream = tx.upstreams.of_source(after.source)
            if before is None or upstream is None or upstream.receipts_topic is None or upstream.revoked_at:
                continue
            if receipt := news.receipt(before, after, tx.now):
                told = Told(receipt, upstream.name, upstream.receipts_topic)
                if self._tells is None:
                    told.emit(tx)
                else:
                    self._tells.append(told)


class Residents(Book[Resident]):
    """Who referrals are about. Whoever changes a resident has locked the referral."""

    table = store.residents.RESIDENT
    adds_last = True


class Notes(Book[Note]):
    """Notes about residents. Whoever adds one has locked the referral."""

    table = store.notes.NOTE


class Instructions(Book[Instruction]):
    """What doers must know. Whoever writes some has locked the referral."""

    table = store.instructions.INSTRUCTION


class TasksInHand(Book[TaskInHand]):
    """Who has which task in hand. Locked after the referral, where both are."""

    table = store.tasks.TASK


class Imports(Book[Import]):
    """Files that somebody hands in."""

    table = store.imports.IMPORT


class KnownEvents(Book[KnownEvent]):
    """Events that upstream systems have sent."""

    table = store.known_events.KNOWN_EVENT


class Erasures(Book[Erasure]):
    """Requests to be erased."""

    table = store.erasures.ERASURE


class Enquiries(Book[Enquiry]):
    """Enquiries of volunteers."""

    table = store.enquiries.ENQUIRY
