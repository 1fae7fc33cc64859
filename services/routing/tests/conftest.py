"""A running routing service, and the referrals that tests send it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START, Databases, Harness, harness
from bdcan_contracts.models import Household, Lane, Need, Priority, ReferralAmended, ReferralReceived
from bdcan_contracts.vocabulary import Channel, Diet, Flag, NeedCode
from bdcan_routing.app import service
from bdcan_routing.settings import Settings

CODE_POINT = Path(__file__).parents[4] / "shared" / "data" / "codepoint-open-2025.4"
"""The real postcode table, beside the repository."""


@pytest.fixture
async def bare(postgres_server: Databases) -> AsyncIterator[Harness]:
    """Migrated, and nothing else."""
    async with harness(postgres_server, service, Settings) as given:
        yield given


@pytest.fixture
async def routing(bare: Harness) -> Harness:
    """Seeded with the shipped hubs and the coarse gazetteer, whose events are out."""
    await bare.run("seed")
    await bare.emitted()
    return bare


@pytest.fixture
def code_point() -> Path:
    if not CODE_POINT.is_dir():
        pytest.skip(
            f"the real postcode table is not beside the repository, in {'/'.join(CODE_POINT.parts[-3:])}"
        )
    return CODE_POINT


@pytest.fixture
def referral() -> Callable[..., ReferralReceived]:
    def make(postcode: str | None = "IG11 7NB", **more: Any) -> ReferralReceived:
        values: dict[str, Any] = {
            "referral_id": new_id(),
            "channel": Channel.PHONE,
            "priority": Priority.STANDARD,
            "outreach": False,
            "postcode": postcode,
            "household": Household(adults=2, children=1),
            "needs": (
                Need(need_id=new_id(), code=NeedCode.FOOD_PARCEL, lane=Lane.FOOD),
                Need(need_id=new_id(), code=NeedCode.SHOPPING, lane=Lane.COMMUNITY),
            ),
            "diets": (Diet.HALAL,),
            "flags": (Flag.LIVES_ALONE,),
            "received_at": START,
            "contact_due_at": START + timedelta(hours=48),
        }
        return ReferralReceived(**values | more)

    return make


@pytest.fixture
def amendment() -> Callable[..., ReferralAmended]:
    def make(of: ReferralReceived, version: int = 2, **more: Any) -> ReferralAmended:
        values = {name: getattr(of, name) for name in ("referral_id", "priority", "postcode", "household")}
        values |= {name: getattr(of, name) for name in ("needs", "diets", "flags")}
        return ReferralAmended(**values | {"version": version, "amended_at": START} | more)

    return make
