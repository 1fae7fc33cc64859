"""The mutants: which guarantee each one breaks, by which change, and which tests are to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break. `before` stands exactly once in `file` (of the chassis) and becomes `after`."""

    name: str
    guarantee: str
    file: str
    before: str
    after: str
    tests: str
    """Test files of the chassis, by the middle of their name, separated by spaces."""


MUTANTS = (
    Mutant(
        "offsets-first",
        "effects once",
        "consumer.py",
        "                outcome = await self._dispatcher.process(records)\n",
        "                self._handled.update({tp: batch[-1].offset + 1 for tp, batch in polled.items()})\n"
        "                await self._commit()\n"
        "                outcome = await self._dispatcher.process(records)\n",
        "outage",
    ),
    Mutant(
        "go-on-after-an-error",
        "no skip, no stall",
        "consumer.py",
        "                self._seek_back(consumer, polled)\n",
        "",
        "outage",
    ),
    Mutant(
        "offsets-never",
        "effects once",
        "consumer.py",
        "            await consumer.commit(offsets)\n",
        "            pass\n",
        "outage",
    ),
    Mutant(
        "stuck-at-an-opaque-record",
        "no skip, no stall",
        "consumer.py",
        "                    self._singly = _SINGLY\n",
        "                    pass\n",
        "outage",
    ),
    Mutant(
        "an-opaque-record-is-passed-over",
        "no skip, no stall",
        "consumer.py",
        "                return {place: [Opaque(place.topic, place.partition, offset)]}\n",
        "                continue\n",
        "outage",
    ),
    Mutant(
        "no-inbox",
        "effects once",
        "dispatch.py",
        '    return {r["event_key"] for r in rows}\n',
        "    return set(wanted)\n",
        "dispatch conformance",
    ),
    Mutant(
        "inbox-outside-the-transaction",
        "effects once",
        "dispatch.py",
        "        fresh = await take(connection, self.loop.name, identities)\n",
        "        async with self.transactions.pool.acquire() as other:\n"
        "            fresh = await take(other, self.loop.name, identities)\n",
        "dispatch conformance",
    ),
    Mutant(
        "nothing-is-transient",
        "no skip, no stall",
        "errors.py",
        "    return isinstance(error, _PASSES)\n",
        "    return False\n",
        "dispatch outage",
    ),
    Mutant(
        "everything-is-transient",
        "no skip, no stall",
        "errors.py",
        "    return isinstance(error, _PASSES)\n",
        "    return True\n",
        "dispatch conformance",
    ),
    Mutant(
        "no-isolation",
        "no skip, no stall",
        "dispatch.py",
        "            if len(free) > 1:\n",
        "            if len(free) > 1_000_000:\n",
        "dispatch conformance",
    ),
    Mutant(
        "no-savepoint",
        "effects once",
        "dispatch.py",
        "            async with attempt.tx.connection.transaction():\n                await _run(attempt.tx, free)\n",
        "            await _run(attempt.tx, free)\n",
        "dispatch conformance",
    ),
    Mutant(
        "a-failed-handler-is-heard",
        "effects once",
        "dispatch.py",
        "            attempt.tx.rewind(mark)\n",
        "",
        "dispatch conformance",
    ),
    Mutant(
        "nothing-waits-behind-a-parked-record",
        "order by key",
        "dispatch.py",
        "            self.blocked.add(read.key)\n",
        "            pass\n",
        "dispatch conformance",
    ),
    Mutant(
        "parked-keys-are-forgotten",
        "order by key",
        "dead_letters.py",
        '    return {(r["topic"], r["record_key"]) for r in rows}\n',
        "    return set()\n",
        "dispatch conformance",
    ),
    Mutant(
        "replay-backwards",
        "order by key",
        "replay.py",
        "state IN ('parked', 'queued') ORDER BY seq LIMIT $4",
        "state IN ('parked', 'queued') ORDER BY seq DESC LIMIT $4",
        "dispatch conformance",
    ),
    Mutant(
        "no-limit",
        "no skip, no stall",
        "dispatch.py",
        "            self._limit.check(failed)\n",
        "",
        "dispatch outage",
    ),
    Mutant(
        "unknown-is-skipped",
        "accepted is kept",
        "dispatch.py",
        "                if known is not None and topic in known.topic_names:\n",
        "                if True:\n",
        "dispatch conformance",
    ),
    Mutant(
        "order-across-types",
        "order by key",
        "dispatch.py",
        "        group = (last[0] + (last[1:] != (topic, kind)), topic, kind)\n",
        "        group = (0, topic, kind)\n",
        "dispatch hostile_records",
    ),
    Mutant(
        "outbox-backwards",
        "order by key",
        "transaction.py",
        "ORDER BY place\n",
        "ORDER BY place DESC\n",
        "dispatch conformance",
    ),
    Mutant(
        "events-without-state",
        "effects once",
        "transaction.py",
        "            yield tx\n            await tx.flush()\n",
        "            yield tx\n        async with self.pool.acquire() as other:\n            tx.connection = other\n"
        "            await tx.flush()\n",
        "transaction deadlines",
    ),
    Mutant(
        "events-after-the-commit",
        "effects once",
        "dispatch.py",
        "            await tx.flush()\n        self._limit.remember(failed)\n",
        "        async with self.transactions.pool.acquire() as other:\n            tx.connection = other\n"
        "            await tx.flush()\n        self._limit.remember(failed)\n",
        "conformance",
    ),
    Mutant(
        "mark-before-send",
        "accepted is kept",
        "relay.py",
        "        sent: list[int] = []\n        failure",
        '        await connection.execute(_SENT, self.lane, [row["seq"] for row in rows])\n'
        "        sent: list[int] = []\n        failure",
        "relay",
    ),
    Mutant(
        "never-marked",
        "effects once",
        "relay.py",
        "            await connection.execute(_SENT, self.lane, sent)\n",
        "",
        "relay",
    ),
    Mutant(
        "cursor-instead-of-unsent",
        "accepted is kept",
        "relay.py",
        "        rows = await connection.fetch(_UNSENT, self.lane, ROUND, ROUND_BYTES)\n",
        "        rows = await connection.fetch(_UNSENT, self.lane, ROUND, ROUND_BYTES)\n"
        '        rows = [row for row in rows if row["seq"] > getattr(self, "last", 0)]\n'
        '        self.last = max([row["seq"] for row in rows], default=getattr(self, "last", 0))\n',
        "relay",
    ),
    Mutant(
        "a-round-of-any-size",
        "no skip, no stall",
        "relay.py",
        "WHERE before < $3\n",
        "WHERE $3 > 0\n",
        "relay",
    ),
    Mutant(
        "any-partition",
        "order by key",
        "relay.py",
        "    return partitions[crc32(key) % len(partitions)]\n",
        "    return partitions[time.perf_counter_ns() % len(partitions)]\n",
        "relay",
    ),
    Mutant(
        "everybody-leads",
        "order by key",
        "relay.py",
        '_LEAD = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"',
        '_LEAD = "SELECT true OR $1 = $1"',
        "relay",
    ),
    Mutant(
        "a-failed-lane-is-dead",
        "no skip, no stall",
        "relay.py",
        "                await wait(stopping, backoff_seconds(attempt))\n",
        "                return\n",
        "relay",
    ),
    Mutant(
        "deadlines-fire-for-ever",
        "accepted is kept",
        "deadlines.py",
        "            if len(gone) != len(due):\n",
        "            if False:\n",
        "deadlines",
    ),
    Mutant(
        "a-failing-deadline-is-dropped",
        "accepted is kept",
        "deadlines.py",
        "SELECT kind, subject, due_at FROM chassis.deadline WHERE due_at <= $1 AND",
        "SELECT kind, subject, due_at FROM chassis.deadline WHERE failures = 0 AND due_at <= $1 AND",
        "deadlines",
    ),
    Mutant(
        "deadlines-are-never-moved",
        "accepted is kept",
        "transaction.py",
        "ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at, failures = 0, last_error = NULL\n",
        "ON CONFLICT (kind, subject) DO NOTHING\n",
        "deadlines",
    ),
    Mutant(
        "deadlines-are-never-taken-back",
        "accepted is kept",
        "transaction.py",
        "            if gone:\n",
        "            if gone and not self.connection:\n",
        "deadlines",
    ),
    Mutant(
        "everybody-plans",
        "effects once",
        "passes.py",
        '_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"',
        '_LOCK = "SELECT true OR $1 = $1"',
        "passes",
    ),
    Mutant(
        "inbox-forgets-early",
        "effects once",
        "housekeeping.py",
        "            if kept is not None and kept >= retention:\n",
        "            if False:\n",
        "housekeeping conformance",
    ),
    Mutant(
        "watchdog-asleep",
        "stops cleanly",
        "worker.py",
        "                elif now - since > stuck_after:\n",
        "                elif now - since > stuck_after * 1_000_000:\n",
        "watchdog",
    ),
    Mutant(
        "a-dead-part-goes-unnoticed",
        "stops cleanly",
        "worker.py",
        "        asyncio.ensure_future(owner.crash(error))  # noqa: RUF006 # Faust holds on to what it stops for\n",
        "",
        "watchdog",
    ),
    Mutant(
        "an-effect-before-its-cause",
        "order by key",
        "dispatch.py",
        "                tx.not_before(read.event.time)\n",
        "                pass\n",
        "conformance",
    ),
    Mutant(
        "a-mad-clock-carries-all-away",
        "order by key",
        "transaction.py",
        "        self.now = max(self.now, min(instant, self._latest))\n",
        "        self.now = max(self.now, instant)\n",
        "transaction",
    ),
    Mutant(
        "requests-are-done-twice",
        "effects once",
        "http/idempotency.py",
        "        raise _DoneBeforeError\n",
        "        pass\n",
        "api_idempotency",
    ),
    Mutant(
        "edited-migrations-pass",
        "upgrades safely",
        "migrate.py",
        "        if applied.get(migration.name, migration.digest) != migration.digest:\n",
        "        if False:\n",
        "migrate",
    ),
    Mutant(
        "keys-are-not-compared",
        "the door is shut",
        "http/auth.py",
        "            if hmac.compare_digest(digest, key.sha256):\n",
        "            if True:\n",
        "api_auth",
    ),
)
