"""Requests for help: hand one in, see what became of it, withdraw it, amend it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.audit import Act
from bdcan_chassis.database import Connection
from bdcan_chassis.http import bodies
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.guard import Routes, terms
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import ConflictError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.inbound.references import HASHED
from bdcan_contracts.inbound.submission import examine
from bdcan_intake import forms, store
from bdcan_intake.admission import Accepted, Duplicate, Refused, take_note, take_on
from bdcan_intake.api.common import (
    Amender,
    DryRun,
    Reader,
    Sender,
    Unread,
    Writer,
    filled_in,
    must_see,
    must_see_needs,
    source_of,
)
from bdcan_intake.books import Referrals, Residents
from bdcan_intake.domain import changes
from bdcan_intake.domain.audience import IN_HAND, entries_for_others, without_sensitive
from bdcan_intake.domain.errors import RefusedError
from bdcan_intake.domain.news import news_of
from bdcan_intake.domain.referral import Referral, ReferralState
from bdcan_intake.domain.timeline import Entry

_MOST_ENTRIES = 1000
"""Entries of a timeline that an answer shows at most."""


class NeedShown(BaseModel):
    """A need: whose it is, its state, when something must happen.

    Needs that only the hub's and the council's people may see are shown to others as one need with the state
    `something-is-in-hand` and nothing else.
    """

    model_config = ConfigDict(from_attributes=True)
    need_id: UUID | None = None
    code: str | None = None
    lane: str | None = None
    state: str
    reason: str | None = None
    owner: str | None = None
    due_at: datetime | None = None


class EntryShown(BaseModel):
    """An entry of the referral's timeline."""

    model_config = ConfigDict(from_attributes=True)
    at: datetime
    kind: str
    need_id: UUID | None = None
    detail: dict[str, Any]


class NeedNewsShown(BaseModel):
    """What whoever referred is told about one need."""

    model_config = ConfigDict(from_attributes=True)
    code: str
    lane: str
    state: str
    words: str


class NewsShown(BaseModel):
    """What whoever referred is told: the same words as in receipts. `needs` are those that the sender may know of."""

    model_config = ConfigDict(from_attributes=True)
    state: Annotated[
        str,
        Field(
            description="received, assigned, in-contact, being-helped, waiting-for-council, passed-on or closed"
        ),
    ]
    words: str
    outcome: Annotated[str | None, Field(description="of a closed one, as far as the sender may know it")] = (
        None
    )
    needs: list[NeedNewsShown]


class ReferralListed(BaseModel):
    """A referral as lists show it: nothing personal."""

    model_config = ConfigDict(from_attributes=True)
    referral_id: UUID
    source: str
    reference: Annotated[
        str | None,
        Field(
            description="the sender's; where it may be somebody's name or number, its hash as in receipts, for its sender alone"
        ),
    ] = None
    channel: str
    priority: Annotated[str | None, Field(description="absent for callers who may not see every need")] = None
    outreach: bool
    state: str
    open: bool
    version: int
    hub_id: str | None = None
    outcome: str | None = None
    owner: str | None = None
    due_at: datetime | None = None
    received_at: datetime
    contact_due_at: Annotated[
        datetime | None, Field(description="absent for callers who may not see every need")
    ] = None
    previous_referral_id: Annotated[
        UUID | None, Field(description="the closed referral of the same reference that this one follows")
    ] = None
    next_referral_id: Annotated[UUID | None, Field(description="the referral that follows this one")] = None
    same_person_ids: Annotated[
        list[UUID], Field(description="referrals that may be about the same person: a person decides")
    ] = []
    same_household_ids: Annotated[
        list[UUID], Field(description="referrals that may be about the same household: a person decides")
    ] = []
    earlier_referral_ids: Annotated[
        list[UUID],
        Field(description="closed referrals that may be about the same person, the newest first"),
    ] = []
    closed_at: datetime | None = None
    flags: list[str]
    news: Annotated[
        NewsShown | None,
        Field(
            description="what whoever referred is told; in a list only for callers who see it as its sender"
        ),
    ] = None


class ReferralShown(ReferralListed):
    """A referral with its needs and its timeline, the newest entry last."""

    needs: list[NeedShown]
    timeline: list[EntryShown]
    earlier_entries: Annotated[
        int, Field(description=f"how many older ones the timeline has: {_MOST_ENTRIES} are shown")
    ] = 0
    duplicate: Annotated[
        bool, Field(description="of the answer to a request: whether an earlier one had opened this referral")
    ] = False
    dry_run: Annotated[
        bool | None, Field(description="nothing was stored: new ids in the answer belong to nothing")
    ] = None


class NoteForm(bodies.Body):
    """A note about a resident. `call_id`: the welfare call in which it was said."""

    text: Annotated[bodies.Text, Field(min_length=1, max_length=2000)]
    call_id: UUID | None = None
    for_doer: Annotated[
        bool,
        Field(
            description="whoever does a task may read it, also where a need is sensitive: what, where to fetch, how paid"
        ),
    ] = False


class NoteTaken(BaseModel):
    """The note is kept. Without `note_id`, the caller has said the same before, and it is kept once."""

    referral_id: UUID
    note_id: UUID | None = None
    dry_run: Annotated[bool | None, Field(description="nothing was stored: `note_id` belongs to nothing")] = (
        None
    )


class Withdrawal(bodies.Body):
    """Why, as a code: `no-longer-needed`, `moved-away`, `made-in-error`."""

    reason: bodies.Reason


def router() -> Routes:
    """The routes."""
    routes = Routes(prefix="/v1/referrals", tags=["referrals"])

    @routes.post(
        "",
        status_code=201,
        response_model=ReferralShown,
        responses={200: {"model": ReferralShown, "description": "The same was handed in before"}},
        openapi_extra=terms(urgent=True),
    )
    async def hand_in(
        request: Request,
        caller: Sender,
        once: OnceOnly,
        body: Annotated[Any, Unread(forms.ReferralForm), Body()],
        source: Annotated[
            bodies.Slug | None,
            Query(
                min_length=3, max_length=40, description="one of the caller's sources; by default the first"
            ),
        ] = None,
        dry_run: DryRun = False,
    ) -> Response:
        sender = source_of(request, caller, source)
        form = filled_in(request, forms.read_referral, body)
        known = False

        async def work(tx: Tx) -> BaseModel:
            nonlocal known
            referrals = Referrals(tx)
            [answer] = await take_on(referrals, [examine(form.submission(sender), tx.today)])
            match answer:
                case Refused(problems) if problems[0].code == "reference-reused":
                    raise ConflictError(f"{problems[0].message.capitalize()}.", code="reference-reused")
                case Refused(problems):
                    raise RefusedError(problems)
                case Accepted(referral):
                    shown = _shown(referral, referrals.entered(referral.referral_id), caller)
                    return _rehearsed(shown, dry_run)
                case Duplicate(referral_id):
                    known = True
                    shown = await _found(tx.connection, referral_id, caller)
                    return _rehearsed(shown.model_copy(update={"duplicate": True}), dry_run)

        response = await once(work, status=201, dry_run=dry_run)
        if known:
            response.status_code = 200
        return response

    @routes.get("")
    async def find(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        state: ReferralState | None = None,
        hub: bodies.Slug | None = None,
        source: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        reference: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    ) -> Page[ReferralListed]:
        [referral_id] = paging.after(UUID)
        async with reading(request) as connection:
            found = await store.referrals.FIND.all(
                connection,
                state=state,
                hub=hub,
                source=source,
                reference=reference,
                hubs=caller.visible_hubs,
                sources=list(caller.sources),
                referral_id=referral_id,
                limit=paging.rows,
            )
            found = await _with_needs(connection, found, caller)
        return paging.page(
            found, lambda referral: _listed(referral, caller), lambda referral: (referral.referral_id,)
        )

    @routes.get("/{referral_id}")
    async def show(request: Request, referral_id: UUID, caller: Reader) -> ReferralShown:
        async with reading(request) as connection:
            return await _found(connection, referral_id, caller)

    _changing(routes)
    return routes


def _changing(routes: Routes) -> None:
    """Add the routes that change a referral or what is known of its person."""

    @routes.post("/{referral_id}/withdrawal", response_model=ReferralShown)
    async def withdraw(
        referral_id: UUID, body: Withdrawal, caller: Writer, once: OnceOnly, dry_run: DryRun = False
    ) -> Response:
        async def work(tx: Tx) -> BaseModel:
            referrals = Referrals(tx)
            referral = await _locked(referrals, referral_id, caller)
            shown = await _changed(referrals, changes.withdraw(referral, body.reason, tx.now), caller)
            return _rehearsed(shown, dry_run)

        return await once(work, dry_run=dry_run)

    @routes.post("/{referral_id}/amendments", response_model=ReferralShown)
    async def amend(
        request: Request,
        referral_id: UUID,
        caller: Amender,
        once: OnceOnly,
        body: Annotated[Any, Unread(forms.AmendmentForm), Body()],
        dry_run: DryRun = False,
    ) -> Response:
        form = filled_in(request, forms.read_amendment, body)

        async def work(tx: Tx) -> BaseModel:
            referrals, residents = Referrals(tx), Residents(tx)
            referral = await _locked(referrals, referral_id, caller)
            [known] = await residents.lock_keys([referral_id])
            amendment = form.amendment(by_sender=not caller.sees_hub(referral.hub_id))
            must_see_needs(caller, referral, amendment.withdraw_needs)
            resident = residents.put(changes.amend_resident(known, amendment, tx.today))
            await residents.save()
            await take_note(referrals, referral_id, form.notes, caller.name, form.call_id)
            step = changes.amend(referral, resident, amendment, new_id, tx.now)
            return _rehearsed(await _changed(referrals, step, caller), dry_run)

        return await once(work, dry_run=dry_run)

    @routes.post("/{referral_id}/corrections", status_code=204, response_class=Response)
    async def correct(
        request: Request,
        referral_id: UUID,
        caller: Amender,
        once: OnceOnly,
        body: Annotated[Any, Unread(forms.CorrectionForm), Body()],
        dry_run: DryRun = False,
    ) -> Response:
        """Put right what is kept about the person of a referral that has ended. The audit knows who did it, and why."""
        form = filled_in(request, forms.read_correction, body)

        async def work(tx: Tx) -> None:
            referrals, residents = Referrals(tx), Residents(tx)
            referral = await _locked(referrals, referral_id, caller)
            [known] = await residents.lock_keys([referral_id])
            correction = form.correction()
            residents.put(changes.correct_resident(referral, known, correction, tx.today))
            await residents.save()
            tx.audit(
                Act.PERSON_CORRECTED, caller.name, referral_id, form.reason, fields=sorted(correction.person)
            )

        return await once(work, status=204, dry_run=dry_run)

    @routes.post("/{referral_id}/notes", status_code=201, response_model=NoteTaken)
    async def note(
        referral_id: UUID, body: NoteForm, caller: Amender, once: OnceOnly, dry_run: DryRun = False
    ) -> Response:
        """Add a note about the resident, at any time. It is read through a disclosure. One that says they died stops the calls."""

        async def work(tx: Tx) -> BaseModel:
            taken = await _note(tx, referral_id, body, caller)
            return taken.model_copy(update={"dry_run": True}) if dry_run else taken

        return await once(work, status=201, dry_run=dry_run)


async def _note(tx: Tx, referral_id: UUID, body: NoteForm, caller: Caller) -> NoteTaken:
    referrals = Referrals(tx)
    referral = await _locked(referrals, referral_id, caller)
    noted = await take_note(
        referrals, referral_id, body.text, caller.name, body.call_id, for_doer=body.for_doer
    )
    if noted and changes.says_that_nobody_may_ring(referral, noted.text):
        [resident] = await Residents(tx).lock_keys([referral_id])
        told = changes.Amendment(notes=noted.text)
        referrals.put(changes.amend(referral, resident, told, new_id, tx.now))
    await referrals.save()
    return NoteTaken(referral_id=referral_id, note_id=noted and noted.note_id)


async def _locked(referrals: Referrals, referral_id: UUID, caller: Caller) -> Referral:
    await referrals.lock_keys([referral_id])
    return must_see(caller, referrals.get(referral_id))


async def _changed(referrals: Referrals, step: Step[Referral], caller: Caller) -> ReferralShown:
    """Save a change and answer with the referral as it is now."""
    after = referrals.put(step)
    await referrals.save()
    before, earlier = await _timeline(referrals.tx.connection, after.referral_id)
    return _shown(after, [*before, *referrals.entered(after.referral_id)], caller, earlier)


def _rehearsed(shown: ReferralShown, dry_run: bool) -> ReferralShown:
    """The answer, which says where it is one of a dry run."""
    return shown.model_copy(update={"dry_run": True}) if dry_run else shown


async def _found(connection: Connection, referral_id: UUID, caller: Caller) -> ReferralShown:
    found = await store.referrals.REFERRAL.find(connection, [referral_id])
    referral = must_see(caller, found[0] if found else None)
    entries, earlier = await _timeline(connection, referral_id)
    return _shown(referral, entries, caller, earlier)


async def _timeline(connection: Connection, referral_id: UUID) -> tuple[list[Entry], int]:
    """The newest entries, the newest last, and how many older ones there are."""
    found = await store.timeline.OF_REFERRAL.all(connection, referral_id=referral_id, limit=_MOST_ENTRIES)
    if len(found) < _MOST_ENTRIES:
        return found[::-1], 0
    count = await store.timeline.COUNT_OF_REFERRAL.value(connection, referral_id=referral_id)
    return found[::-1], count - len(found)


async def _with_needs(connection: Connection, found: list[Referral], caller: Caller) -> list[Referral]:
    """The referrals of a page. What a sender is shown of a referral depends on its needs."""
    if all(caller.sees_hub(referral.hub_id) for referral in found):
        return found
    return await store.referrals.REFERRAL.fill(connection, found)


def _listed(referral: Referral, caller: Caller) -> ReferralListed:
    fields = _fields(referral, caller)
    if not caller.sees_hub(referral.hub_id):
        fields["news"] = news_of(referral)
    return ReferralListed.model_validate(fields, from_attributes=True)


def _shown(referral: Referral, entries: Iterable[Entry], caller: Caller, earlier: int = 0) -> ReferralShown:
    """The referral, as much of it as the caller may see."""
    seen = referral
    if not caller.sees_hub(referral.hub_id):
        seen, entries = without_sensitive(referral), entries_for_others(referral, entries)
    needs = list(map(NeedShown.model_validate, seen.needs))
    if seen is not referral:
        needs.append(NeedShown(state=IN_HAND))
    return ReferralShown.model_validate(
        {
            **_fields(referral, caller),
            "needs": needs,
            "timeline": list(entries),
            "earlier_entries": earlier if seen is referral else 0,
            "news": news_of(referral),
        },
        from_attributes=True,
    )


def _fields(referral: Referral, caller: Caller) -> dict[str, Any]:
    """What a list shows of a referral to this caller. A sender sees no links: they are about other requests.

    A reference that may be somebody's name or number is its hash, and only for its sender: a number can be guessed from it.
    """
    seen, withheld = referral, dict[str, Any]()
    reference = referral.shown_reference
    if reference and reference.startswith(HASHED) and referral.source not in caller.sources:
        reference = None
    if not caller.sees_hub(referral.hub_id):
        seen = without_sensitive(referral)
        withheld = dict.fromkeys(("same_person_ids", "same_household_ids", "earlier_referral_ids"), ())
        if seen is not referral:
            withheld |= {"priority": None, "contact_due_at": None}
    listed = {name: getattr(seen, name) for name in ReferralListed.model_fields if name != "news"}
    return listed | {"reference": reference} | withheld
