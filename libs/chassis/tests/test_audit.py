"""The audit: rows are only added, and the chain shows each row that was changed, removed, moved or cut off."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from bdcan_chassis import audit
from bdcan_chassis.audit import Act, Verdict
from bdcan_chassis.testing.harness import START, Harness

LONG_AGO = timedelta(days=400)


async def look(ledger: Harness, subject: UUID, reason: str = "a call", actor: str = "kim") -> None:
    async with ledger.transactions.begin() as tx:
        tx.audit(Act.DISCLOSED, actor, subject, reason, purpose="triage", fields=("name", "phone"))


async def check(ledger: Harness, noted: tuple[int, str] | None = None) -> Verdict:
    async with ledger.transactions.pool.acquire() as connection:
        return await audit.verify(connection, noted)


async def broken(ledger: Harness, noted: tuple[int, str] | None = None) -> str | None:
    return (await check(ledger, noted)).broken


@pytest.fixture
async def rows(ledger: Harness) -> list[UUID]:
    """Five rows about five subjects."""
    subjects = [uuid4() for _ in range(5)]
    for subject in subjects:
        await look(ledger, subject)
    return subjects


async def test_untouched_chain_is_whole(ledger: Harness, rows: list[UUID]) -> None:
    verdict = await check(ledger)
    assert (verdict.rows, verdict.head_seq, verdict.broken) == (len(rows), 5, None)


async def test_empty_chain_is_whole(ledger: Harness) -> None:
    assert await check(ledger) == Verdict(0, 0, "", None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chassis.audit SET actor = 'somebody else' WHERE seq = 3",
        "UPDATE chassis.audit SET at = at + interval '1 microsecond' WHERE seq = 3",
        'UPDATE chassis.audit SET detail = detail || \'{"purpose": "task"}\' WHERE seq = 3',
        "UPDATE chassis.audit SET subject_id = gen_random_uuid() WHERE seq = 3",
        "UPDATE chassis.audit SET id = gen_random_uuid() WHERE seq = 3",
        "UPDATE chassis.audit SET act = 'contact-shown' WHERE seq = 3",
        "UPDATE chassis.audit SET reason = 'another' WHERE seq = 3",
        "UPDATE chassis.audit SET reason = 'erased', reason_salt = NULL WHERE seq = 3",
        "UPDATE chassis.audit SET reason_digest = '\\x00' WHERE seq = 3",
        "UPDATE chassis.audit SET hash = sha256(hash) WHERE seq = 3",
    ],
)
async def test_changed_row_is_named(ledger: Harness, rows: list[UUID], statement: str) -> None:
    await ledger.owner.execute(statement)
    assert (await broken(ledger) or "").startswith("row 3 was changed")


async def test_removed_row_is_named(ledger: Harness, rows: list[UUID]) -> None:
    await ledger.owner.execute("DELETE FROM chassis.audit WHERE seq = 3")
    assert await broken(ledger) == "row 3 is missing"


async def test_removed_beginning_is_named(ledger: Harness, rows: list[UUID]) -> None:
    await ledger.owner.execute("DELETE FROM chassis.audit WHERE seq <= 2")
    assert await broken(ledger) == "row 2 is missing, and no row says that it expired"


async def test_swapped_rows_are_named(ledger: Harness, rows: list[UUID]) -> None:
    await ledger.owner.execute(
        "UPDATE chassis.audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);"
        "UPDATE chassis.audit SET seq = -seq WHERE seq < 0"
    )
    assert await broken(ledger) == "row 2 does not follow row 1"


async def test_cut_tail_is_named_by_a_noted_head(ledger: Harness, rows: list[UUID]) -> None:
    before = await check(ledger)
    noted = (before.head_seq, before.head_hash)
    assert await broken(ledger, noted) is None
    await ledger.owner.execute("DELETE FROM chassis.audit WHERE seq > 3")
    assert await broken(ledger) is None  # the chain alone cannot know
    assert await broken(ledger, noted) == "row 4 is missing: row 5 was noted, and the chain ends before it"
    await look(ledger, rows[0])
    await look(ledger, rows[0])
    assert await broken(ledger, noted) == "row 5 is not the one that was noted"


async def test_rewritten_chain_is_named_by_a_noted_head(ledger: Harness, rows: list[UUID]) -> None:
    before = await check(ledger)
    await ledger.owner.execute("TRUNCATE chassis.audit")
    for subject in rows:
        await look(ledger, subject)
    assert await broken(ledger) is None
    assert await broken(ledger, (before.head_seq, before.head_hash)) == "row 5 is not the one that was noted"


async def test_expired_rows_leave_a_whole_chain(ledger: Harness, rows: list[UUID]) -> None:
    before = await check(ledger)
    ledger.clock.advance(LONG_AGO)
    await look(ledger, rows[0])
    async with ledger.transactions.begin() as tx:
        assert await audit.expire(tx.connection, tx.now - timedelta(days=100), tx.now) == 5
    verdict = await check(ledger, (before.head_seq, before.head_hash))
    assert (verdict.rows, verdict.head_seq, verdict.broken) == (2, 7, None)
    async with ledger.transactions.begin() as tx:
        assert await audit.expire(tx.connection, tx.now - timedelta(days=100), tx.now) == 0
    ledger.clock.advance(LONG_AGO)
    async with ledger.transactions.begin() as tx:
        assert await audit.expire(tx.connection, tx.now - timedelta(days=100), tx.now) == 2
    verdict = await check(ledger)
    assert (verdict.rows, verdict.head_seq, verdict.broken) == (1, 8, None)
    await ledger.owner.execute("UPDATE chassis.audit SET seq = 9")
    assert await broken(ledger) == "row 9 was changed"


async def test_lately_written_rows_do_not_expire(ledger: Harness) -> None:
    async with ledger.owner.acquire() as connection:
        today = await connection.fetchval("SELECT now()")
    ledger.clock.instant = today - timedelta(days=89)
    await look(ledger, uuid4())
    async with ledger.transactions.begin() as tx:
        assert await audit.expire(tx.connection, today + timedelta(days=1), today) == 0
    ledger.clock.instant = START


async def test_erased_reasons_leave_a_whole_chain(ledger: Harness, rows: list[UUID]) -> None:
    async with ledger.transactions.begin() as tx:
        tx.erase_reasons([rows[1], uuid4()])
    assert await broken(ledger) is None
    found = await ledger.fetch("SELECT reason FROM chassis.audit WHERE reason <> '' ORDER BY seq")
    assert [row["reason"] for row in found] == ["a call", "erased", "a call", "a call", "a call"]
    async with ledger.transactions.begin() as tx:
        tx.erase_reasons([rows[1]])
    assert (await check(ledger)).head_seq == 6  # nothing was left to erase


@pytest.mark.parametrize("verb", ["UPDATE {} SET seq = seq", "DELETE FROM {}", "TRUNCATE {}"])
async def test_service_cannot_change_its_audit(ledger: Harness, rows: list[UUID], verb: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ledger.transactions.pool.execute(verb.format("chassis.audit"))


async def test_service_cannot_choose_a_place_in_the_chain(ledger: Harness, rows: list[UUID]) -> None:
    await ledger.transactions.pool.execute(
        """
        INSERT INTO chassis.audit (seq, id, at, actor, act, subject_id, detail, reason, reason_digest, previous_hash, hash)
        SELECT 2, gen_random_uuid(), at, actor, act, subject_id, detail, reason, reason_digest, previous_hash, hash
        FROM chassis.audit WHERE seq = 2
        """
    )
    verdict = await check(ledger)
    assert (verdict.head_seq, verdict.broken) == (6, None)


async def test_transactions_at_once_make_one_chain(ledger: Harness) -> None:
    await asyncio.gather(*(look(ledger, uuid4()) for _ in range(40)))
    verdict = await check(ledger)
    assert (verdict.head_seq, verdict.broken) == (40, None)


async def test_rolled_back_transaction_leaves_no_row(ledger: Harness) -> None:
    await look(ledger, uuid4())
    async with ledger.transactions.pool.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        tx = ledger.transactions.on(connection)
        tx.audit(Act.DISCLOSED, "kim", uuid4())
        await tx.flush()
        await undone.rollback()
    await look(ledger, uuid4())
    verdict = await check(ledger)
    assert (verdict.head_seq, verdict.broken) == (2, None)


async def test_rewound_transaction_forgets_what_it_audited(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        mark = tx.mark()
        tx.audit(Act.DISCLOSED, "kim", uuid4())
        tx.erase_reasons([uuid4()])
        tx.rewind(mark)
    assert (await check(ledger)).rows == 0


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@examples(
    entries=st.lists(
        st.tuples(
            TEXT,
            TEXT,
            st.dictionaries(
                TEXT, st.one_of(TEXT, st.integers(-(2**63), 2**63 - 1), st.booleans()), max_size=3
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=30, deadline=None)
def test_any_text_gives_the_hash_that_the_database_computed(
    hashing: tuple[asyncio.Runner, str], entries: list[tuple[str, str, dict[str, object]]]
) -> None:
    runner, dsn = hashing

    async def once() -> str | None:
        connection = await asyncpg.connect(dsn)
        try:
            rows = [
                audit.Entry(uuid4(), START, actor, Act.DISCLOSED, uuid4(), detail, reason)
                for actor, reason, detail in entries
            ]
            await audit.write(connection, rows)
            return (await audit.verify(connection)).broken
        finally:
            await connection.close()

    assert runner.run(once()) is None


@pytest.fixture(scope="module")
def hashing(postgres_server):
    from bdcan_chassis.migrate import migrate

    with asyncio.Runner() as runner:
        dsn = runner.run(postgres_server.database())
        runner.run(migrate(dsn, ["bdcan_chassis"]))
        yield runner, dsn


async def test_busy_accounts_are_those_above_the_limit(ledger: Harness) -> None:
    for _ in range(3):
        await look(ledger, uuid4(), actor="curious")
    await look(ledger, uuid4(), actor="kim")
    async with ledger.transactions.pool.acquire() as connection:
        since = ledger.clock.now() - timedelta(hours=1)
        assert await audit.busy_accounts(connection, since, 2) == [("curious", 3)]
        assert await audit.busy_accounts(connection, since, 3) == []
        assert await audit.busy_accounts(connection, ledger.clock.now(), 0) == []


async def test_busy_account_is_counted_and_named_in_the_log_once(ledger: Harness) -> None:
    watch = audit.Watch(limit=2)

    async def looked() -> tuple[float | None, list[str]]:
        with structlog.testing.capture_logs() as lines:
            async with ledger.transactions.pool.acquire() as connection:
                await watch.look(connection, ledger.clock.now())
        return REGISTRY.get_sample_value("bdcan_audit_busy_accounts"), [line["account"] for line in lines]

    await look(ledger, uuid4(), actor="kim")
    for _ in range(3):
        await look(ledger, uuid4(), actor="curious")
    ledger.clock.advance(timedelta(minutes=1))
    assert await looked() == (1, ["curious"])
    assert await looked() == (1, [])
    assert REGISTRY.get_sample_value("bdcan_audit_head_seq", {"restored": "never"}) == 4
    ledger.clock.advance(timedelta(hours=2))
    assert await looked() == (0, [])


async def test_head_says_that_the_database_was_restored(ledger: Harness) -> None:
    await look(ledger, uuid4(), actor="kim")
    async with ledger.transactions.pool.acquire() as connection:
        # as a session of a database that a restore has told so
        await connection.execute(f"SET {audit.RESTORED_AT} = '2026-11-27T23:15:00Z'")
        try:
            await audit.Watch(limit=2).look(connection, ledger.clock.now())
        finally:
            await connection.execute(f"RESET {audit.RESTORED_AT}")
    found = REGISTRY.get_sample_value("bdcan_audit_head_seq", {"restored": "2026-11-27T23:15:00Z"})
    assert (found, REGISTRY.get_sample_value("bdcan_audit_head_seq", {"restored": "never"})) == (1, None)
