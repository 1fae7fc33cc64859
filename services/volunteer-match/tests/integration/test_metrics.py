"""What operations sees of calls, tasks and volunteers: a fault shows in the right series, and goes away with it."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import REGISTRY
from volunteer_match_story import (
    assigned,
    enquiry,
    only_call,
    open_task,
    report,
    volunteer,
)

from bdcan_chassis.housekeeping import sample
from bdcan_chassis.testing.harness import Harness
from bdcan_volunteer_match.metrics import SAMPLES

HOUR = 3600.0


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def counted(promise: str, hub: str, outcome: str) -> float:
    return read("bdcan_promises_total", promise=promise, hub=hub, outcome=outcome) or 0


async def after(given: Harness, **span: float) -> None:
    given.clock.advance(timedelta(**span))
    await sample(given.transactions, SAMPLES)


async def test_call_that_nobody_makes_is_late_at_its_hub(given: Harness) -> None:
    await given.deliver(assigned())
    await after(given)
    assert read("bdcan_welfare_calls", hub="thames", state="due") == 1
    assert read("bdcan_welfare_calls", hub="thames", state="claimed") == 0
    assert read("bdcan_promises_late", promise="calls", hub="thames") == 0
    assert read("bdcan_promise_latest_seconds", promise="calls", hub="thames") is None
    assert read("bdcan_welfare_call_next_due_seconds", hub="thames") == 48 * HOUR

    await after(given, hours=47)
    assert read("bdcan_promises_due_soon", promise="calls", hub="thames", within="1h") == 1
    assert read("bdcan_welfare_call_oldest_seconds", hub="thames") == 47 * HOUR

    await after(given, hours=3)
    assert read("bdcan_promises_late", promise="calls", hub="thames") == 1
    assert read("bdcan_promise_latest_seconds", promise="calls", hub="thames") == 2 * HOUR
    assert read("bdcan_promises_due_soon", promise="calls", hub="thames", within="4h") == 0
    assert read("bdcan_welfare_call_next_due_seconds", hub="thames") == -2 * HOUR

    missed = counted("calls", "thames", "missed")
    await report(given, (await only_call(given))["call_id"], outcome="no-answer")
    assert counted("calls", "thames", "missed") == missed + 1
    await after(given)
    assert read("bdcan_promises_late", promise="calls", hub="thames") == 0
    assert read("bdcan_welfare_call_attempts", hub="thames", attempt="1", state="unanswered") == 1
    assert read("bdcan_welfare_call_attempts", hub="thames", attempt="0", state="due") == 0


async def test_call_in_time_is_kept(given: Harness) -> None:
    await given.deliver(assigned())
    kept = counted("calls", "thames", "kept")
    await report(given, (await only_call(given))["call_id"], outcome="no-answer")
    assert counted("calls", "thames", "kept") == kept + 1


async def test_task_that_nobody_does_is_late(given: Harness) -> None:
    await open_task(given)
    await after(given, hours=2)
    assert read("bdcan_tasks", hub="thames", kind="errand", state="open") == 1
    assert read("bdcan_task_oldest_seconds", hub="thames", kind="errand") == 2 * HOUR
    assert read("bdcan_promises_late", promise="tasks", hub="thames") == 0
    assert read("bdcan_tasks_unfilled", hub="thames") == 0
    given.clock.advance(timedelta(hours=20))
    await given.fire()
    await after(given, days=10)
    assert read("bdcan_promises_late", promise="tasks", hub="thames") == 1
    assert read("bdcan_tasks_unfilled", hub="thames") == 1


async def test_places_of_volunteers_run_out(given: Harness) -> None:
    await volunteer(given)
    await after(given)
    assert read("bdcan_volunteers", state="active") == 1
    assert read("bdcan_volunteers_active", hub="thames", kind="errand") == 1
    assert read("bdcan_volunteer_places_free", hub="thames", kind="errand", dbs="no") == 3
    await open_task(given)
    assert await given.run("match") == 1
    await after(given)
    assert read("bdcan_volunteer_places_free", hub="thames", kind="errand", dbs="no") == 2
    assert read("bdcan_task_oldest_seconds", hub="thames", kind="errand") is None, "it is offered"


async def test_enquiry_that_nobody_answers_is_late(given: Harness) -> None:
    await after(given)
    assert read("bdcan_promises_late", promise="welcome", hub="none") == 0
    await given.deliver(enquiry())
    await after(given, days=7)
    assert read("bdcan_promises_late", promise="welcome", hub="none") == 1
    assert (read("bdcan_promise_latest_seconds", promise="welcome", hub="none") or 0) > 24 * HOUR


async def test_review_that_is_late_shows_by_how_much(given: Harness) -> None:
    await given.deliver(assigned(flags=("no-consent",)))
    await after(given, hours=1)
    assert read("bdcan_welfare_call_reviews", hub="thames", overdue="false") == 1
    assert read("bdcan_welfare_call_review_late_seconds", hub="thames") is None
    await after(given, hours=24)
    assert read("bdcan_welfare_call_review_late_seconds", hub="thames") == HOUR
