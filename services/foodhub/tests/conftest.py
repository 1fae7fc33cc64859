"""Foodhub on a fresh database, and helpers for its tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START, Harness, harness
from bdcan_contracts.models import (
    AssignmentMethod,
    CalledNeed,
    CallNeedResult,
    Household,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import NEEDS, Diet, NeedCode, TaskKind
from bdcan_foodhub.app import service
from bdcan_foodhub.domain.contents import contents
from bdcan_foodhub.settings import Settings

FAMILY = Household(adults=2, children=1)


@pytest_asyncio.fixture(loop_scope="session")
async def foodhub(postgres_server) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings, hub_sites={"thames": "becontree"}) as running:
        yield running


@pytest.fixture
def tell() -> SimpleNamespace:
    return SimpleNamespace(
        call_completed=call_completed,
        asked_for=asked_for,
        delivery_task=delivery_task,
        received=received,
        withdrawn=withdrawn,
        amended=amended,
        reassigned=reassigned,
        assigned=assigned,
        out_of_area=out_of_area,
    )


def call_completed(
    code: NeedCode = NeedCode.FOOD_PARCEL,
    result: CallNeedResult = CallNeedResult.CONFIRMED,
    *,
    need_id: UUID | None = None,
    referral_id: UUID | None = None,
    hub_id: str = "northbury",
    household: Household | None = FAMILY,
    diets: tuple[Diet, ...] = (),
    priority: Priority = Priority.STANDARD,
) -> tuple[WelfareCallCompleted, UUID]:
    need = CalledNeed(need_id=need_id or new_id(), code=code, lane=NEEDS[code].lane, result=result)
    return WelfareCallCompleted(
        referral_id=referral_id or new_id(),
        call_id=new_id(),
        hub_id=hub_id,
        attempt=1,
        needs=(need,),
        household=household,
        diets=diets,
        priority=priority,
        completed_at=START,
    ), need.need_id


def asked_for(call: WelfareCallCompleted, times: int = 1) -> dict[str, int]:
    lines = contents(call.needs[0].code, call.household, call.diets)
    return {line.item_id: line.quantity * times for line in lines}


def delivery_task(kind: Any, parcel_id: UUID, task_id: UUID | None = None) -> Any:
    more: dict[str, Any] = {
        TaskAccepted: {"volunteer_id": new_id(), "due_at": START, "accepted_at": START},
        TaskCompleted: {"completed_at": START},
        TaskFailed: {"reason": "nobody-home", "failed_at": START},
        TaskCancelled: {"reason": "need-withdrawn", "cancelled_at": START},
    }[kind]
    return kind(
        task_id=task_id or new_id(),
        referral_id=new_id(),
        parcel_id=parcel_id,
        kind=TaskKind.PARCEL_DELIVERY,
        **more,
    )


def withdrawn(referral_id: UUID) -> ReferralWithdrawn:
    return ReferralWithdrawn(referral_id=referral_id, reason="changed-mind", withdrawn_at=START)


def amended(referral_id: UUID, *withdrawn_need_ids: UUID, **facts: Any) -> ReferralAmended:
    return ReferralAmended(
        referral_id=referral_id,
        needs=(),
        withdrawn_need_ids=withdrawn_need_ids,
        **{"amended_at": START, "version": 2, "priority": Priority.STANDARD} | facts,
    )


def reassigned(referral_id: UUID, hub_id: str, version: int = 2) -> ReferralReassigned:
    return ReferralReassigned(
        referral_id=referral_id,
        version=version,
        hub_id=hub_id,
        method=AssignmentMethod.MANUAL,
        confidence=1,
        confirm_at_call=False,
        explanation="",
        outreach=False,
        priority=Priority.STANDARD,
        needs=(),
        contact_due_at=START,
        previous_hub_id="northbury",
        reason="moved",
        assigned_at=START,
    )


def assigned(referral_id: UUID, hub_id: str, version: int) -> ReferralAssigned:
    fields = reassigned(referral_id, hub_id, version).model_dump(exclude={"previous_hub_id", "reason"})
    return ReferralAssigned.model_validate(fields)


def out_of_area(referral_id: UUID, version: int = 2) -> ReferralOutOfArea:
    return ReferralOutOfArea(
        referral_id=referral_id, version=version, explanation="", needs=(), decided_at=START
    )


async def received(foodhub: Harness, quantities: dict[str, int], site_id: str = "central") -> None:
    lines = [{"item_id": item, "quantity": quantity} for item, quantity in quantities.items()]
    answer = await foodhub.http.post("/v1/stock-receipts", json={"site_id": site_id, "lines": lines})
    assert answer.status_code == 201, answer.text
