# Generated from schemas/events by `python -m bdcan_contract_tools generate`. Do not edit.
"""The bodies of all events, and what they share.

Models are frozen and hashable, know no field that the schema does not name (an unknown one is ignored), and are
strict: Python callers pass UUIDs, aware datetimes and enum members, JSON has them as strings. A code is any string of
its pattern; `vocabulary` lists the codes that this release knows. A field that may be absent is None, and a list is
empty; JSON `null` is read as absent.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_contracts.json_values import Absent, Whole


class Lane(StrEnum):
    """Who helps with a need: food sites, community volunteers, Community Solutions, or Community Solutions
    at once.
    """

    FOOD = "food"
    COMMUNITY = "community"
    COMPLEX = "complex"
    SAFEGUARDING = "safeguarding"


class Priority(StrEnum):
    """How soon help must come: today, within the usual promise, or when there is room."""

    URGENT = "urgent"
    STANDARD = "standard"
    ROUTINE = "routine"


class NeedState(StrEnum):
    """Where one need stands; the last four are final."""

    OPEN = "open"
    IN_HAND = "in-hand"
    MET = "met"
    UNMET = "unmet"
    REFERRED_ON = "referred-on"
    WITHDRAWN = "withdrawn"


class AssignmentMethod(StrEnum):
    """How a referral's hub was found: the postcode's own ward, the nearest known postcode, the likeliest
    ward of the sector, by a person, or past a paused hub.
    """

    EXACT = "exact"
    NEAREST = "nearest"
    COARSE = "coarse"
    MANUAL = "manual"
    HUB_PAUSED = "hub-paused"


class DemandScope(StrEnum):
    """What a demand signal is about."""

    WARD = "ward"
    HUB = "hub"


class CallNeedResult(StrEnum):
    """What a welfare call said about one need: it stands, it stands with changes, it is new, or the resident
    does not want it.
    """

    CONFIRMED = "confirmed"
    CHANGED = "changed"
    FOUND = "found"
    DECLINED = "declined"


class StockUnit(StrEnum):
    """What a quantity of stock counts."""

    EACH = "each"
    GRAM = "gram"
    MILLILITRE = "millilitre"


class EscalationKind(StrEnum):
    """Why a referral is handed to Community Solutions."""

    SAFEGUARDING = "safeguarding"
    COMPLEX = "complex"
    WELFARE_CONCERN = "welfare-concern"


class EscalationStage(StrEnum):
    """The step of an escalation that is late."""

    FORWARD = "forward"
    ACKNOWLEDGE = "acknowledge"
    DECIDE = "decide"


Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""A code: lower-case words with hyphens. Any code of this form is allowed; the known ones are in schemas/vocabulary."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Household(_Body):
    """Who lives in a home: sizes a food parcel. Its size is the sum of the three."""

    adults: Annotated[int, Whole(0, 20)]
    """People of 16 years and over."""
    children: Annotated[int, Whole(0, 20), Absent(0)] = 0
    """Children of 1 to 15 years."""
    infants: Annotated[int, Whole(0, 20), Absent(0)] = 0
    """Babies under 1 year, who need other food."""


class Need(_Body):
    """One thing that a referral asks for."""

    need_id: UUID
    """The need; never reused."""
    code: Code
    """What is needed."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""


class ClosedNeed(_Body):
    """Where one need ended."""

    need_id: UUID
    """The need."""
    code: Code
    """What was needed."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    state: NeedState
    """Its final state."""
    reason: Code | None = None
    """Why it ended so, where the state alone does not say."""


class CalledNeed(_Body):
    """What a welfare call said about one need."""

    need_id: UUID
    """The need; a new id for one that the call found."""
    code: Code
    """What is needed, as the call left it."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    result: CallNeedResult
    """What the call said."""


class Ward(_Body):
    """An electoral ward: its code is only unique with the year of its boundaries, its name not at all."""

    gss: Annotated[str, Field(max_length=9, pattern=r"^E05[0-9]{6}$")]
    """Government Statistical Service code."""
    vintage: Annotated[int, Whole(2000, 2100)]
    """Year in which these boundaries came into force."""


class MissingItem(_Body):
    """Stock that a parcel waits for."""

    item_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The stock item."""
    quantity: Annotated[int, Whole(1, 1000000)]
    """How much is missing, in the item's unit."""


class FieldProblem(_Body):
    """What is wrong with one field of a submission. Never repeats what was sent."""

    field: Annotated[str, Field(max_length=200)]
    """Path of the field, e.g. needs.0; empty for the submission as a whole."""
    code: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """What is wrong, as a stable word."""
    message: Annotated[str, Field(max_length=300)]
    """What is wrong, for people."""


class Person(_Body):
    """Who needs help, as far as the sender knows. Nothing is required: nobody is refused for an incomplete
    form.
    """

    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    """Full name as the person gives it."""
    phone: Annotated[str, Field(max_length=60, pattern=r"^[^\x00]*$")] | None = None
    """Telephone number in any notation."""
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")] | None = None
    """E-mail address."""
    birth_date: date | None = None
    """Date of birth."""
    nhs_number: Annotated[str, Field(max_length=60, pattern=r"^[^\x00]*$")] | None = None
    """NHS number, with or without spaces."""
    address: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] | None = None
    """Postal address without the postcode."""
    postcode: Annotated[str, Field(max_length=60, pattern=r"^[^\x00]*$")] | None = None
    """Postcode of the home, in any notation."""


class CallCorrections(_Body):
    """What the resident corrected on the telephone. A field that is absent was not spoken of."""

    amendment_version: Annotated[int, Whole(0, 2147483647)] | None = None
    """The last amendment of the referral that the caller knew of; 0 or absent: none."""
    household: Household | None = None
    """Who lives there."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False)] | None = None
    """All diets, as the resident said them."""
    flags: Annotated[tuple[Code, ...], Field(max_length=20, strict=False)] | None = None
    """All flags, as the resident said them."""
    priority: Priority | None = None
    """How soon help must come."""
    consent: bool | None = None
    """Whether the resident agrees to be contacted."""


class UnclearDetail(_Body):
    """A detail that nobody could read, as it was typed."""

    field: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]
    """Which detail, such as birth_date."""
    text: Annotated[str, Field(min_length=1, max_length=20000, pattern=r"^[^\x00]*$")]
    """What was typed."""


class ErasedRows(_Body):
    """How many rows of a kind of record were erased."""

    kind: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The kind of record, as docs/privacy.md names it."""
    rows: Annotated[int, Whole(0, 1000000)]
    """How many rows."""


class NeedTold(_Body):
    """What whoever referred is told about one need."""

    code: Code
    """What was asked for."""
    lane: Lane
    """Who helps with such a need."""
    state: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """How far it is: open, in-hand, met, unmet, referred-on or withdrawn. More may come."""
    words: Annotated[str, Field(min_length=1, max_length=300)]
    """The same for people, in plain English."""


class QuotedRecord(_Body):
    """Which record of the sender is answered. What the record does not have is left out; a text is cut after
    1,024 characters.
    """

    id: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Its CloudEvents id, as it was sent. One that may be somebody's name or number is its hash, made as in
    `reference`.
    """
    source: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Its CloudEvents source, as it was sent, or its hash as with `id`."""
    type: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Its event type, as it was sent, or its hash as with `id`."""
    key: Annotated[str, Field(max_length=1024)] | None = None
    """Its key as UTF-8. A reference in it that may be somebody's name or number is the same hash as in
    `reference`.
    """
    topic: Annotated[str, Field(min_length=1, max_length=255)]
    """The topic that it is on."""
    partition: Annotated[int, Whole(0, 1000000)]
    """Its partition."""
    offset: Annotated[int, Whole(0, 9007199254740991)]
    """Its offset in the partition."""


class EscalationAccepted(_Body):
    """Community Solutions takes it on."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    council_reference: Annotated[str, Field(min_length=1, max_length=100)]
    """Community Solutions' own reference."""
    accepted_at: AwareDatetime
    """When it was accepted."""
    close_by: AwareDatetime | None = None
    """When Community Solutions must be done with it."""


class EscalationAcknowledged(_Body):
    """A person at Community Solutions has seen it."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    council_reference: Annotated[str, Field(min_length=1, max_length=100)]
    """Community Solutions' own reference."""
    decide_by: AwareDatetime
    """When Community Solutions must have decided."""
    acknowledged_at: AwareDatetime
    """When it was acknowledged."""


class EscalationClosed(_Body):
    """Community Solutions is done."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    outcome: Code
    """What became of it."""
    closed_at: AwareDatetime
    """When it was closed."""


class EscalationDeclined(_Body):
    """Community Solutions gives it back to the hub."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    reason: Code
    """Why it was declined. A code, never free text."""
    call_ids: Annotated[tuple[UUID, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """The welfare calls that had reported these needs when they were declined. Who has called since has said
    something newer.
    """
    declined_at: AwareDatetime
    """When it was declined."""


class EscalationForwarded(_Body):
    """Community Solutions' system has it."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    acknowledge_by: AwareDatetime
    """When Community Solutions must have acknowledged."""
    forwarded_at: AwareDatetime
    """When it was sent."""


class EscalationOpened(_Body):
    """Needs are to be handed to Community Solutions."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None = (
        None
    )
    """The locality hub."""
    priority: Priority
    """How soon help must come."""
    acknowledge_by: AwareDatetime
    """When Community Solutions must have acknowledged."""
    opened_at: AwareDatetime
    """When it was opened."""


class EscalationOverdue(_Body):
    """A step is late; somebody is told, and it is looked at again."""

    escalation_id: UUID
    """The escalation."""
    referral_id: UUID
    """The referral: one request for help."""
    need_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50, strict=False)]
    """The needs that are handed over."""
    code: Code
    """The first of these needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    kind: EscalationKind
    """Why it is handed over."""
    stage: EscalationStage
    """The step that is late."""
    was_due_at: AwareDatetime
    """When it was due."""
    next_check_at: AwareDatetime
    """When it is looked at again."""
    overdue_at: AwareDatetime
    """When this was noticed."""


class ParcelCancelled(_Body):
    """The parcel is no longer wanted."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    reason: Code
    """Why it was cancelled. A code, never free text."""
    cancelled_at: AwareDatetime
    """When it was cancelled."""


class ParcelDelivered(_Body):
    """The parcel reached the door."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    delivered_at: AwareDatetime
    """When it arrived."""


class ParcelDispatched(_Body):
    """The parcel left the site."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    task_id: UUID | None = None
    """The delivery task, where a volunteer takes it."""
    dispatched_at: AwareDatetime
    """When it left."""


class ParcelPacked(_Body):
    """The parcel is ready to be taken."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    priority: Priority
    """How soon help must come."""
    bags: Annotated[int, Whole(1, 100)]
    """Bags to carry."""
    weight_grams: Annotated[int, Whole(0, 1000000)]
    """Weight in grams."""
    due_at: AwareDatetime
    """When it must be at the door."""
    packed_at: AwareDatetime
    """When it was packed."""


class ParcelRequested(_Body):
    """A confirmed food need became a parcel to prepare."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    code: Code
    """What is needed."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    priority: Priority
    """How soon help must come."""
    household: Household | None = None
    """Who it feeds."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    items: Annotated[int, Whole(0, 10000)]
    """How many items it will hold."""
    due_at: AwareDatetime
    """When it must be at the door."""
    requested_at: AwareDatetime
    """When it was requested."""


class ParcelReserved(_Body):
    """All that the parcel needs is set aside."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    reserved_at: AwareDatetime
    """When stock was set aside."""


class ParcelReturned(_Body):
    """The parcel came back."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    reason: Code
    """Why it came back. A code, never free text."""
    returned_at: AwareDatetime
    """When it came back."""


class ParcelShort(_Body):
    """Stock does not suffice; it is tried again at the given time."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    missing: Annotated[tuple[MissingItem, ...], Field(max_length=100, strict=False)]
    """What is missing."""
    retry_at: AwareDatetime
    """When stock is looked at again."""
    short_at: AwareDatetime
    """When it fell short."""


class ParcelStopped(_Body):
    """A parcel must not go on before a person has decided: it may no longer fit the resident, or its goods
    are not safe.
    """

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    facts: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20, strict=False)]
    """What changed, such as diets, household or recall."""
    due_at: AwareDatetime
    """By when a person must have decided."""
    stopped_at: AwareDatetime
    """When it was stopped."""


class ParcelWarned(_Body):
    """A fact changed about a parcel that has left: somebody must tell whoever has it."""

    parcel_id: UUID
    """The parcel."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that is served."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    task_id: UUID | None = None
    """The delivery, where one is on its way."""
    facts: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20, strict=False)]
    """What changed, such as diets, household or recall."""
    due_at: AwareDatetime
    """By when it must have been passed on."""
    warned_at: AwareDatetime
    """When the fact was heard."""


class StockChanged(_Body):
    """How much of an item a site has."""

    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    item_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The stock item."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the stock of this item here from 1: a lower one than last seen is old news."""
    unit: StockUnit
    """What the quantities count."""
    on_hand: Annotated[int, Whole(0, 1000000000)]
    """On the shelf."""
    reserved: Annotated[int, Whole(0, 1000000000)]
    """Of that, promised to parcels."""
    free: Annotated[int, Whole(0, 1000000000)]
    """Of that, still to promise."""
    changed_at: AwareDatetime
    """When it changed."""


class StockFellLow(_Body):
    """An item fell under its threshold."""

    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    item_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The stock item."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the stock of this item here from 1: a lower one than last seen is old news."""
    unit: StockUnit
    """What the quantities count."""
    on_hand: Annotated[int, Whole(0, 1000000000)]
    """On the shelf."""
    reserved: Annotated[int, Whole(0, 1000000000)]
    """Of that, promised to parcels."""
    free: Annotated[int, Whole(0, 1000000000)]
    """Of that, still to promise."""
    threshold: Annotated[int, Whole(0, 1000000000)]
    """The threshold."""
    fell_low_at: AwareDatetime
    """When it fell."""


class StockRecalled(_Body):
    """A lot was called back and is out of stock."""

    site_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The food site."""
    item_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The stock item."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the stock of this item here from 1: a lower one than last seen is old news."""
    unit: StockUnit
    """What the quantities count."""
    on_hand: Annotated[int, Whole(0, 1000000000)]
    """On the shelf."""
    reserved: Annotated[int, Whole(0, 1000000000)]
    """Of that, promised to parcels."""
    free: Annotated[int, Whole(0, 1000000000)]
    """Of that, still to promise."""
    lot: Annotated[str, Field(min_length=1, max_length=60)]
    """The lot's mark."""
    reason: Code
    """Why it was called back. A code, never free text."""
    recalled_at: AwareDatetime
    """When it was taken out."""


class ErasureAnswered(_Body):
    """What a service has erased of whoever a referral is about, what it keeps, and what it still waits for."""

    referral_id: UUID
    """The referral: one request for help."""
    erasure_id: UUID
    """The erasure that the request belongs to."""
    service: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The service that answers."""
    erased: bool
    """Whether it is done. False: the service waits."""
    waits_for: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """Open work that the service waits for, as codes."""
    rows: Annotated[tuple[ErasedRows, ...], Field(max_length=40, strict=False), Absent(())] = ()
    """How many rows of each kind of record were erased."""
    keeps: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """What the service keeps without the person, as codes."""
    answered_at: AwareDatetime
    """When the service answered."""


class InboundReferralAccepted(_Body):
    """A submission was taken on: somebody will call."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system."""
    reference: Annotated[str, Field(min_length=1, max_length=100)]
    """The sender's own reference."""
    referral_id: UUID
    """The referral that answers it."""
    duplicate: bool
    """Whether an earlier submission had already opened this referral."""
    received_at: AwareDatetime
    """When the referral was first taken on."""
    previous_referral_id: UUID | None = None
    """The closed referral of the same reference that this one follows; absent where it is the first."""
    state: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None = (
        None
    )
    """How far the referral is: received, assigned, in-contact, being-helped or closed."""
    open: bool | None = None
    """Whether the referral is still open. A request is a duplicate only while it is."""
    unclear: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60)], ...],
        Field(max_length=50, strict=False),
        Absent(()),
    ] = ()
    """The details that nobody could read. They are kept as typed, and the resident is asked."""
    record: QuotedRecord | None = None
    """Which record of the sender this answers; each has exactly one such answer."""
    request: (
        Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None
    ) = None
    """What was asked: submitted, amended or withdrawn. More may come. Absent where nobody can tell."""
    dry_run: bool | None = None
    """Whether the record only asked what the answer would be. Nothing was stored then. Absent for all
    others.
    """


class InboundReferralAmended(_Body):
    """An upstream system amends a referral that it sent before. A field that is left out stays as it is."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system, as agreed with it."""
    reference: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    """The sender's own reference of the referral that changes."""
    referral_id: UUID | None = None
    """The referral, where the sender has it from a receipt; it must be one of this source and this
    reference.
    """
    version: Annotated[int, Whole(1, 2147483647)] | None = None
    """The version of the referral that the sender has seen: another one is refused. Absent: whatever it is."""
    person: Person | None = None
    """Details of the person that change; a detail that is left out stays."""
    household: Household | None = None
    """Who lives there."""
    add_needs: Annotated[tuple[Code, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """What is asked for as well."""
    withdraw_needs: Annotated[tuple[Code, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """The needs that are not wanted any more."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False)] | None = None
    """All that food must respect, in place of what was said before."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False)] | None = None
    """All circumstances that change how help is given, in place of what was said before."""
    priority: Priority | None = None
    """How soon help must come."""
    notes: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    """A further note; earlier ones stay."""
    consent: bool | None = None
    """Whether the person agrees to be contacted."""
    remove: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z]+(_[a-z]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """Details that are taken away: name, phone, email, birth_date, nhs_number, address, postcode, household."""
    unclear: Annotated[tuple[UnclearDetail, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """Details that fit no other field. Intake puts there what it cannot read, and keeps it as typed."""


class InboundReferralClosed(_Body):
    """A referral of an upstream system has come to its end, or what was said about its end has changed."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system."""
    reference: Annotated[str, Field(min_length=1, max_length=100)]
    """The sender's own reference, as its first receipt named it."""
    referral_id: UUID
    """The referral."""
    outcome: Code | None = None
    """What became of it; absent where nothing may be said about it."""
    words: Annotated[str, Field(min_length=1, max_length=300)]
    """The same for people, in plain English. It names nobody, and may be shown to whoever referred."""
    needs: Annotated[tuple[NeedTold, ...], Field(max_length=100, strict=False)]
    """The needs that the sender may hear of, each in words. Empty where nothing may be said about a need."""
    correction: bool
    """Whether this corrects an earlier receipt about the same end."""
    closed_at: AwareDatetime
    """When it came to its end, or when what is known of its end changed."""


class InboundReferralProgressed(_Body):
    """A referral of an upstream system has moved on. One for each change that whoever referred cares about."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system."""
    reference: Annotated[str, Field(min_length=1, max_length=100)]
    """The sender's own reference, as its first receipt named it."""
    referral_id: UUID
    """The referral."""
    state: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """How far it is: assigned, in-contact, being-helped, waiting-for-council, passed-on or reopened. More
    may come.
    """
    words: Annotated[str, Field(min_length=1, max_length=300)]
    """The same for people, in plain English. It names nobody, and may be shown to whoever referred."""
    needs: Annotated[tuple[NeedTold, ...], Field(max_length=100, strict=False)]
    """The needs that the sender may hear of, each in words. Empty where nothing may be said about a need."""
    changed_at: AwareDatetime
    """When it moved on."""


class InboundReferralRefused(_Body):
    """A request was not taken on; every problem is named at once."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system."""
    reference: Annotated[str, Field(min_length=1, max_length=100)]
    """The sender's own reference."""
    problems: Annotated[tuple[FieldProblem, ...], Field(max_length=100, strict=False)]
    """What to correct."""
    refused_at: AwareDatetime
    """When it was refused."""
    record: QuotedRecord | None = None
    """Which record of the sender this answers; each has exactly one such answer."""
    request: (
        Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None
    ) = None
    """What was asked: submitted, amended or withdrawn. More may come. Absent where nobody can tell."""
    dry_run: bool | None = None
    """Whether the record only asked what the answer would be. Nothing was stored then. Absent for all
    others.
    """


class InboundReferralSubmitted(_Body):
    """An upstream system asks for help on behalf of a person. A field without a value is left out. No text
    may hold U+0000, which a database cannot keep.
    """

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system, as agreed with it."""
    reference: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    """The sender's own reference: the same source and reference is the same request."""
    channel: Code
    """How the person reached the sender."""
    person: Person | None = None
    """Who needs help."""
    household: Household | None = None
    """Who lives there."""
    needs: Annotated[tuple[Code, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """What is asked for; may be empty where the sender does not know yet."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False), Absent(())] = ()
    """Circumstances that change how help is given."""
    priority: Priority | None = None
    """How soon help must come; intake decides where absent."""
    notes: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    """Anything that helps the person who calls."""
    consent: bool | None = None
    """Whether the person agreed to be contacted; absent where nobody asked."""
    unclear: Annotated[tuple[UnclearDetail, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """Details that fit no other field. Intake puts there what it cannot read, and keeps it as typed."""


class InboundReferralWithdrawn(_Body):
    """An upstream system withdraws a referral that it sent before: what the resident may end is ended."""

    source: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The sending system, as agreed with it."""
    reference: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    """The sender's own reference of the referral that ends."""
    referral_id: UUID | None = None
    """The referral, where the sender has it from a receipt; it must be one of this source and this
    reference.
    """
    reason: Code
    """Why, such as no-longer-needed, moved-away or made-in-error."""


class ReferralAmended(_Body):
    """What is known of a referral changed; the event carries all of it as it now stands."""

    referral_id: UUID
    """The referral: one request for help."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the referral from 1: a lower one than last seen is old news."""
    priority: Priority
    """How soon help must come."""
    postcode: Annotated[str, Field(max_length=12)] | None = None
    """Unit postcode in capitals with one space, or what was given where it is no postcode; absent where none
    was given.
    """
    household: Household | None = None
    """Who lives there; absent where nobody asked yet."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """All needs as they now stand."""
    withdrawn_need_ids: Annotated[tuple[UUID, ...], Field(max_length=50, strict=False), Absent(())] = ()
    """Needs that this amendment withdrew: nobody helps with them any more."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False), Absent(())] = ()
    """Circumstances that change how help is given."""
    dropped_diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """Diets that this amendment took away. A diet that a call found stays unless it is named here."""
    changed: Annotated[tuple[Code, ...], Field(max_length=20, strict=False), Absent(())] = ()
    """The facts that this amendment changed, such as address or household; empty where the writer does not
    say.
    """
    amended_at: AwareDatetime
    """When it changed."""


class ReferralClosed(_Body):
    """The last need of a referral came to its end."""

    referral_id: UUID
    """The referral: one request for help."""
    outcome: Code
    """What became of it."""
    needs: Annotated[tuple[ClosedNeed, ...], Field(max_length=50, strict=False)]
    """Where each need ended."""
    closed_at: AwareDatetime
    """When it was closed."""


class ReferralErasureRequested(_Body):
    """Whoever the referral is about has a right to be erased. Each service erases what it holds, and
    answers.
    """

    referral_id: UUID
    """The referral: one request for help."""
    erasure_id: UUID
    """The erasure that the request belongs to."""
    requested_at: AwareDatetime
    """When it was asked for."""
    erase_by: AwareDatetime
    """Open work is waited for until then. Then it is erased all the same."""


class ReferralLinked(_Body):
    """Other open referrals may be about the same person or household. The event carries all links as they
    now are; each referral has an event of its own.
    """

    referral_id: UUID
    """The referral: one request for help."""
    same_person_ids: Annotated[tuple[UUID, ...], Field(max_length=20, strict=False), Absent(())] = ()
    """Open referrals that may be about the same person, the oldest first."""
    same_household_ids: Annotated[tuple[UUID, ...], Field(max_length=20, strict=False), Absent(())] = ()
    """Open referrals of other people who may live in the same home, the oldest first."""
    linked_at: AwareDatetime
    """When the links changed."""


class ReferralReceived(_Body):
    """Somebody asked for help, and it is on record."""

    referral_id: UUID
    """The referral: one request for help."""
    channel: Code
    """How the request came in."""
    priority: Priority
    """How soon help must come."""
    outreach: bool
    """Whether the referral came from a bulk outreach list."""
    postcode: Annotated[str, Field(max_length=12)] | None = None
    """Unit postcode in capitals with one space, or what was given where it is no postcode; absent where none
    was given.
    """
    household: Household | None = None
    """Who lives there; absent where nobody asked yet."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """What is asked for; empty until somebody asked."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False), Absent(())] = ()
    """Circumstances that change how help is given."""
    received_at: AwareDatetime
    """When the request came in."""
    contact_due_at: AwareDatetime
    """When the resident must have been called."""
    previous_referral_id: UUID | None = None
    """The closed referral of the same person that this one follows; absent where it is the first."""


class ReferralReopened(_Body):
    """A need turned up after the last one had come to its end: the referral is open again."""

    referral_id: UUID
    """The referral: one request for help."""
    priority: Priority
    """How soon help must come."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """The needs that are open."""
    reopened_at: AwareDatetime
    """When it was opened again."""


class ReferralWithdrawn(_Body):
    """The resident no longer wants help, or the referral should not have been made."""

    referral_id: UUID
    """The referral: one request for help."""
    reason: Code
    """Why it was withdrawn. A code, never free text."""
    withdrawn_at: AwareDatetime
    """When it was withdrawn."""


class SafeguardingConcernRaised(_Body):
    """Somebody may be at risk of harm: Community Solutions must know at once, before any routing."""

    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID
    """The need that records the concern."""
    code: Code
    """Which of the safeguarding needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    raised_at: AwareDatetime
    """When it was raised."""
    respond_by: AwareDatetime
    """When Community Solutions must have it."""


class VolunteerEnquiryErasureRequested(_Body):
    """Whoever wanted to volunteer has a right to be erased. The volunteer leaves."""

    enquiry_id: UUID
    """The enquiry of the volunteer. Where there was none: the id of the volunteer."""
    erasure_id: UUID
    """The erasure that the request belongs to."""
    volunteer_id: UUID | None = None
    """The volunteer, where a hub took them on without an enquiry."""
    requested_at: AwareDatetime
    """When it was asked for."""


class VolunteerEnquiryReceived(_Body):
    """Somebody wants to volunteer; who it is stays with intake until volunteer-match asks."""

    enquiry_id: UUID
    """The enquiry."""
    task_kinds: Annotated[tuple[Code, ...], Field(max_length=8, strict=False), Absent(())] = ()
    """What they would like to do."""
    postcode_sector: Annotated[str, Field(max_length=7)] | None = None
    """Postcode without its last two letters, e.g. RM10 8."""
    has_car: bool | None = None
    """Whether they can drive for us."""
    received_at: AwareDatetime
    """When it came in."""


class DemandSettled(_Body):
    """A surge is over."""

    scope: DemandScope
    """What the signal is about."""
    scope_id: Annotated[str, Field(min_length=1, max_length=60)]
    """Ward code or hub id."""
    code: Code
    """What is asked for."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    settled_at: AwareDatetime
    """When it was over."""
    count: Annotated[int, Whole(0, 100000000)]
    """Requests in the last window."""


class DemandSurged(_Body):
    """Much more of one need is asked for than usual. Advisory: nothing durable hangs on it."""

    scope: DemandScope
    """What the signal is about."""
    scope_id: Annotated[str, Field(min_length=1, max_length=60)]
    """Ward code or hub id."""
    code: Code
    """What is asked for."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    window_start: AwareDatetime
    """Start of the window that was counted."""
    window_minutes: Annotated[int, Whole(1, 10080)]
    """Length of that window, in minutes."""
    count: Annotated[int, Whole(0, 100000000)]
    """Requests in the window."""
    expected: Annotated[float, Field(ge=0, le=100000000)]
    """Requests that such a window usually has."""


class HubConfigured(_Body):
    """A hub was added or changed."""

    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the hub from 1: a lower one than last seen is old news."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """The hub's public name."""
    wards: Annotated[tuple[Ward, ...], Field(max_length=50, strict=False)]
    """The wards it covers."""
    paused: bool
    """Whether it takes no new referrals at present."""
    neighbours: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """The hubs next to it, the nearest first: they help when it is full. Absent: routing has not said."""
    configured_at: AwareDatetime
    """When it was changed."""


class HubPaused(_Body):
    """A hub takes no new referrals for now."""

    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the hub from 1: a lower one than last seen is old news."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """The hub's public name."""
    wards: Annotated[tuple[Ward, ...], Field(max_length=50, strict=False)]
    """The wards it covers."""
    paused: bool
    """Whether it takes no new referrals at present."""
    neighbours: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """The hubs next to it, the nearest first: they help when it is full. Absent: routing has not said."""
    reason: Code
    """Why it pauses. A code, never free text."""
    paused_at: AwareDatetime
    """When it paused."""


class HubResumed(_Body):
    """A hub takes new referrals again."""

    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the hub from 1: a lower one than last seen is old news."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """The hub's public name."""
    wards: Annotated[tuple[Ward, ...], Field(max_length=50, strict=False)]
    """The wards it covers."""
    paused: bool
    """Whether it takes no new referrals at present."""
    neighbours: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
        Absent(()),
    ] = ()
    """The hubs next to it, the nearest first: they help when it is full. Absent: routing has not said."""
    resumed_at: AwareDatetime
    """When it resumed."""


class ReferralAssigned(_Body):
    """A referral has its hub. Carries what the hub needs for the first call."""

    referral_id: UUID
    """The referral: one request for help."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the assignment from 1: a lower one than last seen is old news."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    ward: Ward | None = None
    """The ward of the home, where it is known."""
    method: AssignmentMethod
    """How the hub was found."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """How likely the ward is the right one."""
    confirm_at_call: bool
    """Whether the caller must ask for the address, since the ward is not certain."""
    explanation: Annotated[str, Field(max_length=300)]
    """Why this hub, for people; written by the service, holds no personal data."""
    outreach: bool
    """Whether the referral came from a bulk outreach list."""
    priority: Priority
    """How soon help must come."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """What is asked for."""
    household: Household | None = None
    """Who lives there; absent where nobody asked yet."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False), Absent(())] = ()
    """Circumstances that change how help is given."""
    sector: (
        Annotated[str, Field(min_length=5, max_length=6, pattern=r"^[A-Z]{1,2}[0-9][A-Z0-9]? [0-9]$")] | None
    ) = None
    """The postcode sector of the home, such as RM10 8, where its postcode is known: thousands of addresses
    share it.
    """
    contact_due_at: AwareDatetime
    """When the resident must have been called."""
    assigned_at: AwareDatetime
    """When it was assigned."""


class ReferralHeldForTriage(_Body):
    """A referral cannot be placed by rule; a person decides until the given time."""

    referral_id: UUID
    """The referral: one request for help."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the assignment from 1: a lower one than last seen is old news."""
    reason: Code
    """Why it is held."""
    candidate_hubs: Annotated[
        tuple[Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=50, strict=False),
        Absent(()),
    ] = ()
    """Hubs it may belong to, likeliest first."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """What is asked for."""
    priority: Priority
    """How soon help must come."""
    triage_due_at: AwareDatetime
    """When a person must have placed it."""
    held_at: AwareDatetime
    """When it was held."""


class ReferralOutOfArea(_Body):
    """The home lies outside the borough; another council must help."""

    referral_id: UUID
    """The referral: one request for help."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the assignment from 1: a lower one than last seen is old news."""
    district_gss: Annotated[str, Field(max_length=9, pattern=r"^[EWSN][0-9]{8}$")] | None = None
    """District of the home, where it is known."""
    explanation: Annotated[str, Field(max_length=300)]
    """Why it is out of area, for people; written by the service, holds no personal data."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """What is asked for."""
    decided_at: AwareDatetime
    """When this was decided."""


class ReferralReassigned(_Body):
    """A referral moves to another hub."""

    referral_id: UUID
    """The referral: one request for help."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the assignment from 1: a lower one than last seen is old news."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    ward: Ward | None = None
    """The ward of the home, where it is known."""
    method: AssignmentMethod
    """How the hub was found."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """How likely the ward is the right one."""
    confirm_at_call: bool
    """Whether the caller must ask for the address, since the ward is not certain."""
    explanation: Annotated[str, Field(max_length=300)]
    """Why this hub, for people; written by the service, holds no personal data."""
    outreach: bool
    """Whether the referral came from a bulk outreach list."""
    priority: Priority
    """How soon help must come."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """What is asked for."""
    household: Household | None = None
    """Who lives there; absent where nobody asked yet."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    flags: Annotated[tuple[Code, ...], Field(max_length=5, strict=False), Absent(())] = ()
    """Circumstances that change how help is given."""
    sector: (
        Annotated[str, Field(min_length=5, max_length=6, pattern=r"^[A-Z]{1,2}[0-9][A-Z0-9]? [0-9]$")] | None
    ) = None
    """The postcode sector of the home, such as RM10 8, where its postcode is known: thousands of addresses
    share it.
    """
    contact_due_at: AwareDatetime
    """When the resident must have been called."""
    previous_hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The hub that had it until now."""
    reason: Code
    """Why it moves. A code, never free text."""
    assigned_at: AwareDatetime
    """When it was moved."""


class TaskAccepted(_Body):
    """A volunteer took the task on."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID
    """The volunteer."""
    due_at: AwareDatetime
    """When it must be done."""
    accepted_at: AwareDatetime
    """When it was taken on."""


class TaskCancelled(_Body):
    """The task is no longer wanted."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID | None = None
    """The volunteer."""
    reason: Code
    """Why it was cancelled. A code, never free text."""
    cancelled_at: AwareDatetime
    """When it was cancelled."""


class TaskChanged(_Body):
    """What is known of the resident changed, or a person decided about the check: the task as it now is.
    Whoever has it is told.
    """

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    priority: Priority
    """How soon help must come."""
    due_at: AwareDatetime
    """When it must be done."""
    requires_dbs: bool
    """Whether the law asks for an enhanced DBS check."""
    volunteer_id: UUID | None = None
    """The volunteer."""
    facts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=20, strict=False),
    ]
    """Which facts changed. The facts themselves are disclosed by intake."""
    stopped_by: Code | None = None
    """Why the task must not go on until a person has looked; absent where it may."""
    changed_at: AwareDatetime
    """When it changed."""


class TaskCompleted(_Body):
    """The task is done."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID | None = None
    """The volunteer."""
    completed_at: AwareDatetime
    """When it was done."""


class TaskConcernRaised(_Body):
    """A volunteer saw something that worries them."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    concern_id: UUID
    """The concern."""
    code: Code
    """Which of the safeguarding needs."""
    lane: Lane
    """The lane of the need: who helps where its code is not known."""
    raised_at: AwareDatetime
    """When it was raised."""


class TaskFailed(_Body):
    """The task was tried and could not be done."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID | None = None
    """The volunteer."""
    reason: Code
    """Why it failed. A code, never free text."""
    failed_at: AwareDatetime
    """When it failed."""


class TaskOfferWithdrawn(_Body):
    """An offer ended because its volunteer may not do the task any more: tell them. Somebody else is asked."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID
    """The volunteer."""
    reason: Code
    """Why the offer ended."""
    withdrawn_at: AwareDatetime
    """When the offer ended."""


class TaskOffered(_Body):
    """The task was put to a volunteer, until the offer expires."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID
    """The volunteer."""
    expires_at: AwareDatetime
    """When the offer lapses."""
    offered_at: AwareDatetime
    """When it was offered."""


class TaskOpened(_Body):
    """There is something for a volunteer to do."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    priority: Priority
    """How soon help must come."""
    due_at: AwareDatetime
    """When it must be done."""
    requires_dbs: bool
    """Whether the law asks for an enhanced DBS check."""
    opened_at: AwareDatetime
    """When it was opened."""


class TaskReopened(_Body):
    """Somebody reported by a slip that the task is done: the volunteer has it again."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    volunteer_id: UUID
    """The volunteer."""
    due_at: AwareDatetime
    """When it must be done."""
    reason: Code
    """Why it is open again."""
    reopened_at: AwareDatetime
    """When it was opened again."""


class TaskUnfilled(_Body):
    """No volunteer was found in time: an alarm, not an end."""

    task_id: UUID
    """The task: one thing that one volunteer does."""
    referral_id: UUID
    """The referral: one request for help."""
    need_id: UUID | None = None
    """The need that is served."""
    parcel_id: UUID | None = None
    """The parcel that is delivered."""
    kind: Code
    """What there is to do."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    priority: Priority
    """How soon help must come."""
    offers_made: Annotated[int, Whole(0, 10000)]
    """How many volunteers were asked."""
    unfilled_at: AwareDatetime
    """When the alarm was raised."""


class VolunteerActivated(_Body):
    """A volunteer can be offered tasks, or what they offer changed."""

    volunteer_id: UUID
    """The volunteer."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the volunteer from 1: a lower one than last seen is old news."""
    hub_ids: Annotated[
        tuple[Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=50, strict=False),
        Absent(()),
    ] = ()
    """Hubs they help."""
    task_kinds: Annotated[tuple[Code, ...], Field(max_length=8, strict=False), Absent(())] = ()
    """What they will do."""
    dbs_cleared: bool
    """Whether their enhanced DBS check is in force."""
    has_car: bool
    """Whether they can drive for us."""
    activated_at: AwareDatetime
    """When it took effect."""


class VolunteerLeft(_Body):
    """A volunteer left for good."""

    volunteer_id: UUID
    """The volunteer."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the volunteer from 1: a lower one than last seen is old news."""
    left_at: AwareDatetime
    """When they left."""
    unknown: bool | None = None
    """True: somebody asked to erase a volunteer of this id, and nobody of that id is known."""


class VolunteerPaused(_Body):
    """A volunteer wants no offers for now."""

    volunteer_id: UUID
    """The volunteer."""
    version: Annotated[int, Whole(1, 2147483647)]
    """Counts the changes of the volunteer from 1: a lower one than last seen is old news."""
    hub_ids: Annotated[
        tuple[Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Field(max_length=50, strict=False),
        Absent(()),
    ] = ()
    """Hubs they help."""
    task_kinds: Annotated[tuple[Code, ...], Field(max_length=8, strict=False), Absent(())] = ()
    """What they will do."""
    dbs_cleared: bool
    """Whether their enhanced DBS check is in force."""
    has_car: bool
    """Whether they can drive for us."""
    until: AwareDatetime | None = None
    """When they mean to be back, where they said."""
    paused_at: AwareDatetime
    """When it took effect."""


class WelfareCallCompleted(_Body):
    """The resident was spoken to; needs are confirmed, changed, found or declined."""

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    attempt: Annotated[int, Whole(1, 100)]
    """Which call of the round this was."""
    needs: Annotated[tuple[CalledNeed, ...], Field(max_length=50, strict=False)]
    """What the call said about each need."""
    household: Household | None = None
    """Who lives there; absent where nobody asked yet."""
    diets: Annotated[tuple[Code, ...], Field(max_length=11, strict=False), Absent(())] = ()
    """What food must respect."""
    priority: Priority
    """How soon help must come."""
    completed_at: AwareDatetime
    """When the call ended."""
    corrections: CallCorrections | None = None
    """What the call corrected; intake amends the referral by it. Absent where nothing was corrected."""


class WelfareCallExhausted(_Body):
    """Nobody was reached after the whole ladder of calls: a welfare concern."""

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    attempts: Annotated[int, Whole(1, 100)]
    """How many calls were made."""
    needs: Annotated[tuple[Need, ...], Field(max_length=50, strict=False)]
    """The needs that are still open. Where nobody ever learned what is needed, the welfare concern itself is
    the need.
    """
    exhausted_at: AwareDatetime
    """When the ladder ended."""


class WelfareCallHeld(_Body):
    """A person at the hub must look at the referral by a stated time: nobody was reached, or nobody may be
    rung.
    """

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    reason: Code
    """Why a person must look."""
    review_by: AwareDatetime
    """When the person must have decided."""
    overdue: bool
    """Whether the time passed without a decision: an alarm."""
    held_at: AwareDatetime
    """When it began, or became overdue."""


class WelfareCallOverdue(_Body):
    """Nobody has called by the promised time: an alarm. It comes again until somebody calls, or the call is
    not wanted any more.
    """

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    attempts: Annotated[int, Whole(0, 2147483647)]
    """Calls of this round so far."""
    due_at: AwareDatetime
    """When somebody should have called."""
    critical: bool
    """Whether the call is so late that somebody else must step in."""
    next_alarm_at: AwareDatetime
    """When the next alarm comes, if nobody calls until then."""
    overdue_at: AwareDatetime
    """When the alarm was raised."""


class WelfareCallReopened(_Body):
    """What a call reported no longer counts: a person undid it or wants another call. The resident is rung
    again.
    """

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    previous_call_id: UUID
    """The round whose report no longer counts."""
    reason: Code
    """Why there is another call."""
    due_at: AwareDatetime
    """When the next call is due."""
    reopened_at: AwareDatetime
    """When it was opened again."""


class WelfareCallUnanswered(_Body):
    """The resident was not reached; another call is due."""

    referral_id: UUID
    """The referral: one request for help."""
    call_id: UUID
    """The round of welfare calls."""
    hub_id: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """The locality hub."""
    attempt: Annotated[int, Whole(1, 100)]
    """Which call of the round this was."""
    outcome: Code
    """How the call failed."""
    next_attempt_at: AwareDatetime
    """When the next call may be made: its slot begins."""
    due_at: AwareDatetime | None = None
    """By when the next call must be made: its slot ends. Absent from an older release."""
