"""Intake's handlers under the chassis's conformance suite: what comes in, and what the others report."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above

from bdcan_chassis.step import Step
from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import FakeRecord, Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_intake.books import Referrals
from bdcan_intake.domain.referral import Referral


class TestConformanceAtTheInboundTopic(Conformance):
    """A submission, then the same reference again with the same content, and with another."""

    def life(self, given: Harness) -> list[FakeRecord]:
        first = m.InboundReferralSubmitted(
            source="riverside-surgery",
            reference=str(uuid4()),
            channel=vocabulary.Channel.GP,
            person=m.Person(name="Amina Example", phone="07700 900417", postcode="rm108xx"),
            needs=(vocabulary.NeedCode.FOOD_PARCEL, vocabulary.NeedCode.SAFEGUARDING_ADULT),
        )
        again, changed = first.model_copy(), first.model_copy(update={"notes": "She has moved."})
        return [given.record(event) for event in (first, again, changed)]


class TestConformanceOfTheTimeline(Conformance):
    """A referral that is followed from its hub to its end, over four topics."""

    def setup_method(self) -> None:
        self.referrals: list[Referral] = []

    async def prepare(self, given: Harness) -> None:
        async with given.transactions.begin() as tx:
            referrals = Referrals(tx)
            for referral in self.referrals:
                referrals.put(Step(referral))
            await referrals.save()

    def life(self, given: Harness) -> list[FakeRecord]:
        r = s.referral(vocabulary.NeedCode.FOOD_PARCEL, vocabulary.NeedCode.SHOPPING)
        self.referrals.append(r)
        food, shopping = (n.need_id for n in r.needs)
        events = (
            s.assigned(r),
            s.late_call(r),
            s.unanswered(r),
            s.confirmed(r),
            s.task(m.TaskOpened, r, shopping, vocabulary.TaskKind.SHOPPING),
            s.parcel(m.ParcelRequested, r, food),
            s.task(m.TaskAccepted, r, shopping, vocabulary.TaskKind.SHOPPING),
            s.task(m.TaskCompleted, r, shopping, vocabulary.TaskKind.SHOPPING),
            s.parcel(m.ParcelPacked, r, food),
            s.parcel(m.ParcelDelivered, r, food),
        )
        return [given.record(event) for event in events]
