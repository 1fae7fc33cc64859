"""The worker and the demand pulse as real processes, under routing's own Kafka user and its permissions."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    CATALOGUE,
    DEMAND_SIGNALS,
    OUTREACH_ASSIGNMENTS,
    OUTREACH_REFERRALS,
    REFERRALS,
)
from bdcan_contracts.models import (
    AssignmentMethod,
    DemandScope,
    DemandSettled,
    DemandSurged,
    Need,
    Priority,
    ReferralAssigned,
    Ward,
)
from bdcan_contracts.vocabulary import NEEDS, NeedCode
from bdcan_local.access import users
from bdcan_local.provision import provision_kafka
from services.routing.tests.integration import processes

NORTHBURY = Ward(gss="E05014066", vintage=2022)


@pytest.fixture(scope="session")
async def routing_password(kafka_broker):
    passwords = {user: secrets.token_urlsafe(12) for user in users(CATALOGUE.topics)}
    await provision_kafka(kafka_broker.client_options(), CATALOGUE.topics, passwords)
    return passwords["bdcan-routing"]


@pytest.fixture
async def env(postgres_server, kafka_broker, routing_password, tmp_path):
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    dsn = await postgres_server.database("routing")
    given = processes.environment(dsn, kafka_broker, routing_password, keys, tmp_path / "pulse")
    code, said = await processes.run(given, "migrate")
    assert code == 0, said
    assert "10 hub(s) and postcode table(s) seeded" in said
    return given


def assigned(minutes: float, code: NeedCode = NeedCode.FOOD_PARCEL) -> ReferralAssigned:
    return ReferralAssigned(
        referral_id=new_id(),
        version=1,
        hub_id="hub-1",
        ward=NORTHBURY,
        method=AssignmentMethod.EXACT,
        confidence=1.0,
        confirm_at_call=False,
        explanation="a test",
        outreach=False,
        priority=Priority.STANDARD,
        needs=(Need(need_id=new_id(), code=code, lane=NEEDS[code].lane),),
        contact_due_at=START,
        assigned_at=START + timedelta(minutes=minutes),
    )


async def test_worker_answers_normal_and_bulk_referrals(env, kafka_broker, referral, tmp_path):
    single, bulk = referral(), referral(None, outreach=True)

    async with processes.running(env, "worker", tmp_path / "worker.log"):
        await processes.write(kafka_broker, REFERRALS.name, [single])
        await processes.write(kafka_broker, OUTREACH_REFERRALS.name, [bulk])
        async with processes.reading(kafka_broker, ASSIGNMENTS.name, OUTREACH_ASSIGNMENTS.name) as found:

            async def both() -> bool:
                return {e.referral_id for e in found} >= {single.referral_id, bulk.referral_id}

            await processes.until(both, 30)


async def test_pulse_reports_surge_and_end_though_it_was_killed_between(env, kafka_broker, tmp_path):
    env = env | {"BDCAN_CLOCK": f"scaled:{START.isoformat()}:{time.time()}:1"}
    log = tmp_path / "pulse.log"
    async with processes.reading(kafka_broker, DEMAND_SIGNALS.name) as found:

        def has(kind, scope):
            async def check() -> bool:
                return any(isinstance(e, kind) and e.scope is scope for e in found)

            return check

        async with processes.running(env, "pulse", log) as pulse:
            await processes.write(kafka_broker, ASSIGNMENTS.name, [assigned(n / 10) for n in range(30)])
            await processes.until(has(DemandSurged, DemandScope.WARD), 60)
            await processes.until(has(DemandSurged, DemandScope.HUB), 30)

            async def committed() -> bool:
                return await processes.caught_up(
                    kafka_broker, "bdcan.routing.pulse", ASSIGNMENTS.name, "bdcan.routing.pulse-demand"
                )

            await processes.until(committed, 30)  # before that, a crash may count twice
            await pulse.kill()
        surges = [e for e in found if isinstance(e, DemandSurged)]
        assert {(e.scope_id, e.code, e.window_start) for e in surges} == {
            ("hub-1", NeedCode.FOOD_PARCEL, START),
            ("E05014066", NeedCode.FOOD_PARCEL, START),
        }
        assert all(e.window_minutes == 30 and e.count >= 20 for e in surges)

        async with processes.running(env, "pulse", log):
            await processes.write(kafka_broker, ASSIGNMENTS.name, [assigned(95)])
            await processes.until(has(DemandSettled, DemandScope.WARD), 60)
            assert len([e for e in found if isinstance(e, DemandSurged)]) == 2
