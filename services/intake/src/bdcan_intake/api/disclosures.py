"""Who may be told what about a resident, for which purpose; every answer leaves an audit row."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from msgspec.structs import asdict
from pydantic import BaseModel, Field, model_validator

from bdcan_chassis import audit as chain
from bdcan_chassis.audit import Act
from bdcan_chassis.grants import Grant
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.problems import ForbiddenError, NotFoundError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import Household
from bdcan_intake import store
from bdcan_intake.api.common import Reader
from bdcan_intake.books import Referrals, TasksInHand
from bdcan_intake.domain.disclosure import (
    ABOUT_CASES,
    OPENS,
    Claim,
    Purpose,
    claim_for,
    must_be_live,
    open_case,
    task_under_way,
)
from bdcan_intake.domain.doer import must_be_wanted, needed_for, notes_for_doer
from bdcan_intake.domain.enquiry import Enquiry, volunteer_id_of
from bdcan_intake.domain.instruction import words_for
from bdcan_intake.domain.note import Note, all_notes
from bdcan_intake.domain.referral import Referral
from bdcan_intake.settings import Settings

_MOST_SHOWN = 1000

_GRANTED = frozenset({Purpose.WELFARE_CALL, Purpose.DELIVERY_LABEL, Purpose.TASK})


class DisclosureAsked(Body):
    """Whom it is about, and why. `reason` is for the audit, which the resident can be shown."""

    purpose: Purpose
    reason: Annotated[Text, Field(min_length=3, max_length=300)]
    referral_id: UUID | None = None
    enquiry_id: UUID | None = None
    volunteer_id: Annotated[
        UUID | None,
        Field(
            description="with volunteer_induction: as volunteer-match's list has it; with task: who has the task in hand"
        ),
    ] = None
    task_id: Annotated[UUID | None, Field(description="with task: as volunteer-match's list has it")] = None
    grant: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="with welfare_call: from the answer to the claim of the call; with task: from the answer to the"
            " acceptance, or from the task that its volunteer reads; with delivery_label: from the answer to whoever"
            " picks or packs the parcel",
        ),
    ] = None

    @model_validator(mode="after")
    def _names_its_subject(self) -> DisclosureAsked:
        names = ("referral_id", "enquiry_id", "volunteer_id", "task_id")
        named = {name for name in names if getattr(self, name) is not None}
        match self.purpose:
            case Purpose.TASK:
                wanted, right = "a task_id and a volunteer_id", named == {"task_id", "volunteer_id"}
            case Purpose.VOLUNTEER_INDUCTION:
                wanted, right = "one enquiry_id or volunteer_id", named in ({"enquiry_id"}, {"volunteer_id"})
            case _:
                wanted, right = "one referral_id", named == {"referral_id"}
        if self.grant is not None and self.purpose not in _GRANTED:
            raise ValueError("a grant is only for welfare_call, delivery_label and task")
        if not right:
            raise ValueError(f"{self.purpose} is about {wanted}, and nothing else")
        return self


class Disclosed(BaseModel):
    """The fields that the purpose opens; one without a value is left out."""

    disclosure_id: UUID
    purpose: Purpose
    disclosed_at: datetime
    referral_id: UUID | None = None
    enquiry_id: UUID | None = None
    volunteer_id: UUID | None = None
    task_id: UUID | None = None
    kind: Annotated[str | None, Field(description="what there is to do")] = None
    name: str | None = None
    phone: Annotated[str | None, Field(description="as it was typed")] = None
    phone_e164: Annotated[str | None, Field(description="as it is dialled")] = None
    email: str | None = None
    birth_date: date | None = None
    nhs_number: str | None = None
    address: str | None = None
    postcode: str | None = None
    household: Household | None = None
    flags: list[str] | None = None
    what: Annotated[str | None, Field(description="what to buy or fetch")] = None
    access: Annotated[str | None, Field(description="how to get in")] = None
    say: Annotated[str | None, Field(description="what to say at the door")] = None
    notes: str | None = None
    notes_withheld: Annotated[
        bool | None,
        Field(description="true: there are notes that the doer may not read; ask the coordinator"),
    ] = None
    consent: bool | None = None
    unclear: Annotated[
        dict[str, str] | None, Field(description="details that could not be read, as they were typed")
    ] = None


class AuditRow(BaseModel):
    """Who was told what, when and why."""

    disclosure_id: UUID
    purpose: str
    fields: list[str]
    caller: str
    reason: str
    work: Annotated[str | None, Field(description="the open piece of work for which it was disclosed")] = None
    disclosed_at: datetime

    @classmethod
    def of(cls, entry: chain.Entry) -> AuditRow:
        """A row of the chassis's audit, as the resident is shown it."""
        return cls(
            disclosure_id=entry.id,
            purpose=entry.detail["purpose"],
            fields=entry.detail["fields"],
            caller=entry.actor,
            reason=entry.reason,
            work=entry.detail.get("work"),
            disclosed_at=entry.at,
        )


class Audit(BaseModel):
    """The disclosures about one referral, newest last: the newest 1,000. `more` counts the older ones."""

    items: list[AuditRow]
    more: int = 0


def router(settings: Settings) -> Routes:
    """The routes."""
    grants = settings.grant_keys
    routes = Routes(prefix="/v1", tags=["disclosures"])

    @routes.post("/disclosures", response_model_exclude_none=True)
    async def disclose(
        request: Request,
        body: DisclosureAsked,
        caller: Annotated[Caller, Depends(needs(*(f"disclosures:{purpose}" for purpose in Purpose)))],
    ) -> Disclosed:
        # answers are about a person and are kept nowhere: no Idempotency-Key
        if f"disclosures:{body.purpose}" not in caller.scopes:
            raise ForbiddenError(f"The scope disclosures:{body.purpose} is needed.")
        names = OPENS[body.purpose].fields
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            if body.task_id is not None and body.volunteer_id is not None:
                granted = grants.read(body.grant or "")
                subject_id, fields = await _about_task(tx, body.task_id, body.volunteer_id, caller, granted)
                names = needed_for(fields["kind"], names)
                work = f"task:{body.task_id}"
            elif body.referral_id is not None:
                subject_id = body.referral_id
                fields, work = await _about_resident(
                    tx, body.referral_id, body.purpose, caller, grants.read(body.grant or "")
                )
            else:
                enquiry = await _enquiry(tx, body, caller)
                subject_id, fields, work = enquiry.enquiry_id, asdict(enquiry), "enquiry"
            opened = {name: fields[name] for name in names}
            audit = tx.audit(
                Act.DISCLOSED,
                caller.name,
                subject_id,
                body.reason,
                purpose=body.purpose,
                fields=names,
                work=work,
            )
        return Disclosed.model_validate(
            {
                "disclosure_id": audit.id,
                "purpose": body.purpose,
                "disclosed_at": audit.at,
                "referral_id": subject_id if body.task_id else body.referral_id,
                "enquiry_id": None if body.referral_id or body.task_id else subject_id,
                "volunteer_id": body.volunteer_id,
                "task_id": body.task_id,
                **opened,
            }
        )

    @routes.get("/referrals/{referral_id}/disclosures")
    async def audit(request: Request, referral_id: UUID, caller: Reader) -> Audit:
        async with reading(request) as connection:
            # not for the sender: who was told why may give a sensitive need away
            caller.must_see(await store.referrals.REFERRAL.get.first(connection, keys=[referral_id]))
            found, more = await chain.about(connection, referral_id, Act.DISCLOSED, _MOST_SHOWN)
        return Audit(items=[AuditRow.of(entry) for entry in found], more=more)

    return routes


async def _about_resident(
    tx: Tx, referral_id: UUID, purpose: Purpose, caller: Caller, grant: Grant | None
) -> tuple[dict[str, Any], str]:
    """What is kept about the resident, and the open piece of work for which the caller may read it."""
    referrals = Referrals(tx)
    await referrals.lock_keys([referral_id])
    referral = referrals.get(referral_id)
    if referral is None:
        raise NotFoundError
    if OPENS[purpose].hub_only:
        caller.must_see_hub(referral.hub_id)
    must_be_live(referral, purpose)
    if claim := claim_for(referral, purpose):
        await _must_have_claimed(tx, referral_id, purpose, claim, caller, grant)
        work = claim.work
    else:
        work = await _open_work(tx, referral, purpose, caller)
    told, noted = await _kept(tx, referral)
    return told | {"notes": all_notes(told.get("notes"), noted, tx.calendar.zone)}, work


async def _open_work(tx: Tx, referral: Referral, purpose: Purpose, caller: Caller) -> str:
    """The open piece of work of the caller's team, where nobody claims it. Raises NotAllowedError without any."""
    match purpose:
        case Purpose.DELIVERY:
            tasks = await store.tasks.IN_HAND.all(tx.connection, referral_id=referral.referral_id)
            return task_under_way(referral, tasks)
        case Purpose.ESCALATION if caller.is_person:
            entries = await store.timeline.OF_KINDS.all(
                tx.connection, referral_id=referral.referral_id, kinds=ABOUT_CASES
            )
            return open_case(entries)
        case Purpose.ESCALATION:
            return "handing-over"
        case Purpose.WELFARE_CALL:
            return "held-call"
        case _:
            return purpose.value


async def _must_have_claimed(
    tx: Tx, referral_id: UUID, purpose: Purpose, claim: Claim, caller: Caller, grant: Grant | None
) -> None:
    """Raise ForbiddenError unless the caller has the referral's call or parcel in hand, and it has not ended since."""
    if (
        grant is None
        or not grant.opens(caller.name, purpose, referral_id, tx.now)
        or await store.timeline.HAPPENED_SINCE.value(
            tx.connection, referral_id=referral_id, since=grant.granted_at, kinds=claim.ends
        )
    ):
        raise ForbiddenError(claim.how)


async def _about_task(
    tx: Tx, task_id: UUID, volunteer_id: UUID, caller: Caller, grant: Grant | None
) -> tuple[UUID, dict[str, Any]]:
    """What whoever has the task in hand must know. They ask by themselves, or a person of the hub asks for them."""
    found = await store.tasks.TASK.get.first(tx.connection, keys=[task_id])
    if found is None:
        raise NotFoundError
    referrals = Referrals(tx)
    await referrals.lock_keys([found.referral_id])
    referral = referrals.get(found.referral_id)
    if referral is None or not (caller.volunteer_id == volunteer_id or caller.sees_hub(referral.hub_id)):
        raise NotFoundError
    [task] = await TasksInHand(tx).lock_keys([task_id])
    if task.volunteer_id != volunteer_id:
        raise ForbiddenError(
            "Only the volunteer who has accepted the task may read this, while they have it."
        )
    if grant is None or not grant.opens(caller.name, Purpose.TASK, task_id, tx.now):
        raise ForbiddenError(
            "Open the task again, and send the grant that you get. Somebody at the hub accepts it again for its volunteer."
        )
    must_be_live(referral, Purpose.TASK)
    must_be_wanted(task, referral)
    told, noted = await _kept(tx, referral)
    notes, withheld = notes_for_doer(referral, told.get("notes"), noted, tx.calendar.zone)
    written = await store.instructions.OF_REFERRAL.all(tx.connection, referral_id=referral.referral_id)
    words = words_for({one.subject_id: one for one in written}, referral.referral_id, task.need_id)
    return referral.referral_id, told | words | {
        "kind": task.kind,
        "notes": notes,
        "notes_withheld": withheld or None,
    }


async def _kept(tx: Tx, referral: Referral) -> tuple[dict[str, Any], list[Note]]:
    """All that is kept about the resident, and the notes that were added."""
    resident = await store.residents.RESIDENT.get.first(tx.connection, keys=[referral.referral_id])
    told = asdict(resident) if resident else {}
    noted = await store.notes.OF_REFERRAL.all(tx.connection, referral_id=referral.referral_id)
    return told | {"household": referral.household, "flags": list(referral.flags)}, noted


async def _enquiry(tx: Tx, asked: DisclosureAsked, caller: Caller) -> Enquiry:
    """The enquiry. Before a hub has welcomed the volunteer any hub may ask, then theirs alone. Raises NotFoundError."""
    if asked.enquiry_id is not None:
        found = await store.enquiries.ENQUIRY.get.all(tx.connection, keys=[asked.enquiry_id])
    else:
        found = await store.enquiries.OF_VOLUNTEER.all(tx.connection, volunteer_id=asked.volunteer_id)
        found = [one for one in found if volunteer_id_of(one.enquiry_id) == asked.volunteer_id]
    if not found or found[0].erased_at is not None:
        raise NotFoundError
    if found[0].hub_ids and not any(map(caller.sees_hub, found[0].hub_ids)):
        raise NotFoundError
    return found[0]
