"""What the API takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bdcan_contracts.models import AssignmentMethod, NeedCode, Priority, TriageReason, Ward
from bdcan_routing.domain.assignment import Assignment
from bdcan_routing.domain.gazetteer import OutOfArea
from bdcan_routing.domain.placement import Hold, ToHub
from bdcan_routing.domain.wards import ward_name
from bdcan_routing.store.assignments import Held
from bdcan_routing.store.gazetteer import COARSE, Release
from bdcan_routing.store.hubs import HubRow

Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""Lower-case words with hyphens: an id, or a reason that goes into an event and therefore is never free text."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reason(_Request):
    """Why, as a code."""

    reason: Code


class Decision(_Request):
    """A person's decision on a held referral: a hub, or out of area."""

    hub_id: Code | None = None
    out_of_area: Literal[True] | None = None
    reason: Code

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.hub_id is None) == (self.out_of_area is None):
            raise ValueError("either hub_id, or out_of_area: true")
        return self


class Reassignment(_Request):
    """Another hub for an assigned referral."""

    hub_id: Code
    reason: Code


class WardIn(_Request):
    """A ward: its code, and the year of its boundaries (2002 or 2022)."""

    gss: Annotated[str, Field(pattern=r"^E05\d{6}$")]
    vintage: Annotated[int, Field(ge=2000, le=2100)]


class HubIn(_Request):
    """A hub as it shall stand. Without `cover` a hub keeps the cover it has."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    wards: Annotated[list[WardIn], Field(max_length=50)]
    cover: Annotated[list[Code], Field(max_length=20)] | None = None


class WardOut(BaseModel):
    """A ward, with its name for people."""

    gss: str
    vintage: int
    name: str

    @classmethod
    def of(cls, ward: Ward) -> Self:
        """From the ward."""
        return cls(gss=ward.gss, vintage=ward.vintage, name=ward_name(ward.gss))


class HubOut(BaseModel):
    """A hub as it stands. `illustrative`: it came with the software and is nobody's real hub."""

    hub_id: str
    version: int
    name: str
    wards: list[WardOut]
    cover: list[str]
    paused: bool
    pause_reason: str | None
    illustrative: bool
    configured_at: datetime

    @classmethod
    def of(cls, row: HubRow) -> Self:
        """From the stored hub."""
        hub = row.hub
        return cls(
            hub_id=hub.hub_id,
            version=hub.version,
            name=hub.name,
            wards=[WardOut.of(ward) for ward in hub.wards],
            cover=list(hub.cover),
            paused=hub.paused,
            pause_reason=row.pause_reason,
            illustrative=row.illustrative,
            configured_at=row.configured_at,
        )


class HubList(BaseModel):
    """Every hub, by id."""

    items: list[HubOut]


class AssignmentOut(BaseModel):
    """Where a referral stands with routing, and why."""

    referral_id: UUID
    state: str
    version: int
    hub_id: str | None = None
    ward: WardOut | None = None
    method: AssignmentMethod | None = None
    confidence: float | None = None
    confirm_at_call: bool | None = None
    explanation: str | None = None
    district_gss: str | None = None
    triage_reason: TriageReason | None = None
    candidate_hubs: list[str] | None = None
    triage_due_at: datetime | None = None
    contact_due_at: datetime | None = None
    decided_by: str | None = None

    @classmethod
    def of(cls, a: Assignment) -> Self:
        """From the assignment."""
        out = cls(
            referral_id=a.referral_id,
            state=a.state.value,
            version=a.version,
            triage_due_at=a.triage_due_at,
            contact_due_at=a.contact_due_at,
            decided_by=a.decided_by,
        )
        match a.verdict:
            case ToHub() as verdict:
                out.hub_id = verdict.hub_id
                out.ward = WardOut.of(verdict.ward) if verdict.ward else None
                out.method = verdict.method
                out.confidence = verdict.confidence
                out.confirm_at_call = verdict.confirm_at_call
                out.explanation = verdict.explanation
            case OutOfArea(district, explanation):
                out.district_gss, out.explanation = district, explanation
            case Hold(reason, candidates):
                out.triage_reason, out.candidate_hubs = reason, list(candidates)
            case None:
                pass
        return out


class TriageItem(BaseModel):
    """A referral that waits for a person. Who it is about, intake's disclosure API tells those who may know."""

    referral_id: UUID
    reason: TriageReason
    candidate_hubs: list[str]
    needs: list[NeedCode]
    priority: Priority
    held_at: datetime
    triage_due_at: datetime

    @classmethod
    def of(cls, held: Held) -> Self:
        """From a line of the list."""
        return cls(
            referral_id=held.referral_id,
            reason=held.verdict.reason,
            candidate_hubs=list(held.verdict.candidates),
            needs=[need.code for need in held.facts.needs],
            priority=held.facts.priority,
            held_at=held.held_at,
            triage_due_at=held.triage_due_at,
        )


class TriageList(BaseModel):
    """Those due first come first. `next` is the `after` of the next page; absent on the last one."""

    items: list[TriageItem]
    next: str | None = None


class GazetteerOut(BaseModel):
    """The postcode table in use. `coarse`: only the shipped statistics; import a release for exact answers."""

    release: str
    kind: str
    coarse: bool
    vintage: int
    rows: int
    rows_in_borough: int
    imported_at: datetime

    @classmethod
    def of(cls, release: Release) -> Self:
        """From the release."""
        return cls(
            release=release.name,
            kind=release.kind,
            coarse=release.kind == COARSE,
            vintage=release.vintage,
            rows=release.unit_count,
            rows_in_borough=release.borough_count,
            imported_at=release.imported_at,
        )
