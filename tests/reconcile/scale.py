"""What a reconciliation costs: `python -m tests.reconcile.scale 100000`.

Fills the five databases with so many referrals, each with two or three needs: seven of ten have ended, and every thousandth
of the others has lost its task. Prints the time of a reconciliation with its fence, and what it found.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from bdcan_local import reconciling, runner
from bdcan_local.places import of_system
from bdcan_local.postgres import Postgres
from bdcan_local.processes import Table, own_name
from bdcan_local.root import Root
from bdcan_local.settings import read_settings
from bdcan_reconcile.check import Verdict

_OF = "md5('{}' || i)::uuid"
_REFERRAL, _FOOD, _ERRAND, _DEBT, _PARCEL = (
    _OF.format(what) for what in ("referral", "food", "errand", "debt", "parcel")
)
_TASK, _DELIVERY, _CASE, _CALL = (_OF.format(what) for what in ("task", "delivery", "case", "call"))
_OVER = "i % 10 < 7"
_SOON = "now() + interval '3 days'"

FILL: Mapping[str, tuple[str, ...]] = {
    "intake": (
        f"""INSERT INTO referral (id, source, reference, channel, priority, outreach, state, version, hub_id, assignment_version,
                called, out_of_area, outcome, owner, due_at, received_at, contact_due_at, closed_at, diets, flags)
            SELECT {_REFERRAL}, 'scale', i::text, 'phone', 'standard', false,
                CASE WHEN {_OVER} THEN 'closed' ELSE 'being-helped' END, 3, 'hub-1', 1, true, false,
                CASE WHEN {_OVER} THEN 'helped' END, CASE WHEN NOT {_OVER} THEN 'foodhub' END,
                CASE WHEN NOT {_OVER} THEN {_SOON} END, now(), now(), CASE WHEN {_OVER} THEN now() END, '{{}}', '{{}}'
            FROM generate_series(1, $1::int) AS i""",
        f"""INSERT INTO need (referral_id, id, code, lane, state, owner, due_at, fact_at, fact_rank)
            SELECT {_REFERRAL}, n.id, n.code, n.lane, CASE WHEN {_OVER} THEN 'met' ELSE 'in-hand' END,
                CASE WHEN NOT {_OVER} THEN n.owner END, CASE WHEN NOT {_OVER} THEN {_SOON} END, now(), 4
            FROM generate_series(1, $1::int) AS i, LATERAL (VALUES
                ({_FOOD}, 'food-parcel', 'food', 'foodhub'), ({_ERRAND}, 'prescription', 'community', 'volunteers'),
                ({_DEBT}, 'debt', 'complex', 'community-solutions')) AS n (id, code, lane, owner)
            WHERE n.lane <> 'complex' OR i % 5 = 0""",
    ),
    "routing": (
        f"""INSERT INTO assignment (referral_id, state, version, amendment_version, outreach, hub_id, changed_at)
            SELECT {_REFERRAL}, CASE WHEN {_OVER} THEN 'ended' ELSE 'assigned' END, 1, 0, false, 'hub-1', now()
            FROM generate_series(1, $1::int) AS i""",
    ),
    "volunteer-match": (
        f"""INSERT INTO welfare_call (referral_id, call_id, state, hub_id, assignment_version, amendment_version, priority, outreach,
                confirm_at_call, attempts, misses, not_before, due_at, ended)
            SELECT {_REFERRAL}, {_CALL}, 'answered', 'hub-1', 1, 0, 'standard', false, false, 1, 0, now(), now(), {_OVER}
            FROM generate_series(1, $1::int) AS i""",
        f"""INSERT INTO task (task_id, referral_id, need_id, parcel_id, kind, hub_id, priority, requires_dbs, state, volunteer_id, due_at,
                alarm_at, opened_at, settled_at, offers_made, failures, unfilled)
            SELECT t.id, {_REFERRAL}, t.need_id, t.parcel_id, t.kind, 'hub-1', 'standard', false,
                CASE WHEN {_OVER} THEN 'done' ELSE 'open' END, CASE WHEN {_OVER} THEN {_CALL} END, {_SOON}, {_SOON}, now(),
                CASE WHEN {_OVER} THEN now() END, 1, 0, false
            FROM generate_series(1, $1::int) AS i, LATERAL (VALUES
                ({_TASK}, {_ERRAND}, NULL::uuid, 'prescription'), ({_DELIVERY}, {_FOOD}, {_PARCEL}, 'parcel-delivery')
            ) AS t (id, need_id, parcel_id, kind)
            WHERE ({_OVER} OR t.parcel_id IS NULL) AND i % 10000 <> 9""",
        "INSERT INTO chassis.deadline SELECT 'task', task_id, alarm_at FROM task WHERE state = 'open' AND $1::int > 0",
    ),
    "foodhub": (
        f"""INSERT INTO parcel (parcel_id, referral_id, need_id, hub_id, site_id, code, priority, diets, lines, state, requested_at,
                due_at, changed_at, missing, missing_items, bags, weight_grams, overdue)
            SELECT {_PARCEL}, {_REFERRAL}, {_FOOD}, 'hub-1', 'site', 'food-parcel', 'standard', '{{}}', '[]',
                CASE WHEN {_OVER} THEN 'delivered' ELSE 'reserved' END, now(), {_SOON}, now(), '[]', '{{}}', 1, 9000, false
            FROM generate_series(1, $1::int) AS i""",
        f"INSERT INTO referral (referral_id, hub_id) SELECT {_REFERRAL}, 'hub-1' FROM generate_series(1, $1::int) AS i",
        "INSERT INTO chassis.deadline SELECT 'parcel-due', parcel_id, due_at FROM parcel WHERE state = 'reserved' AND $1::int > 0",
    ),
    "escalation": (
        f"""INSERT INTO escalation (escalation_id, referral_id, kind, needs, hub_id, priority, state, opened_at, acknowledge_by, due_at,
                next_attempt_at, attempts, in_doubt, case_id, outcome)
            SELECT {_CASE}, {_REFERRAL}, 'complex', jsonb_build_array(jsonb_build_object('need_id', {_DEBT})), 'hub-1', 'standard',
                CASE WHEN {_OVER} THEN 'closed' ELSE 'opened' END, now(), now(), CASE WHEN NOT {_OVER} THEN {_SOON} END, now(), 0,
                false, NULL, CASE WHEN {_OVER} THEN 'helped' END
            FROM generate_series(1, $1::int) AS i WHERE i % 5 = 0""",
        f"INSERT INTO referral (referral_id, hub_id) SELECT {_REFERRAL}, 'hub-1' FROM generate_series(1, $1::int) AS i",
        "INSERT INTO chassis.deadline SELECT 'escalation-late', escalation_id, due_at FROM escalation WHERE due_at IS NOT NULL AND $1::int > 0",
    ),
}
"""By service: the statements that make so many referrals ($1)."""


async def fill(postgres: Postgres, referrals: int) -> None:
    """Fill the databases."""
    for service, statements in FILL.items():
        connection = await asyncpg.connect(postgres.dsn(database=own_name(service)))
        for statement in statements:
            await connection.execute(statement, referrals, timeout=600)
        await connection.execute("ANALYZE")
        await connection.close()


async def measure(directory: Path, referrals: int) -> Verdict:
    """One reconciliation of so many referrals, with no service running."""
    plan = runner.Plan(fresh=True, usual_ports=False, table=Table(services=lambda _: []))
    async with runner.running(Root(directory), read_settings(), plan, print) as running:
        await fill(running.system.postgres, referrals)
        places = of_system(running.system)
        return await reconciling.once(type(places)(places.databases, places.kafka, places.clock), 20.0)


async def main(referrals: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bdcan-scale-") as directory:
        began = time.process_time()
        verdict = await measure(Path(directory), referrals)
        sys.stdout.write(f"{verdict.counts} {dict(verdict.by_kind)}\n")
        sys.stdout.write(
            f"read and judged in {verdict.read_seconds:.1f} s, {verdict.seconds:.1f} s with the fence,"
            f" {time.process_time() - began:.1f} s of this process's CPU,"
            f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n"
        )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
