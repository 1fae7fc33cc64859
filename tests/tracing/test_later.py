"""What happens later to a row goes on with its trace: a deadline that fires, whatever caused the row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bdcan_chassis.testing.collector import collector
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.tracing import Context, parse
from bdcan_contracts import models as m

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
RAISED = EXAMPLES / "bdcan.intake.safeguarding-concern.raised.v1" / "minimal.json"
SENT = Context(0xC0FFEE, 0xF00D, sampled=True)


async def test_deadline_goes_on_with_the_trace_of_its_row(
    start: Callable[..., AbstractAsyncContextManager[Harness]],
) -> None:
    with collector() as seen:
        async with start("escalation", otlp_endpoint=seen.url, trace_ratio=0.0) as given:
            record = given.record(m.SafeguardingConcernRaised.model_validate_json(RAISED.read_bytes()))
            sent = ("traceparent", SENT.traceparent.encode())
            await given.deliver(replace(record, headers=[*record.headers, sent]))
            opened = await given.emitted(m.EscalationOpened)
            given.clock.advance(timedelta(days=1))
            assert await given.fire()
            overdue = await given.emitted(m.EscalationOverdue)
            assert given.transactions.tracer is not None
            await given.transactions.tracer.close()
    contexts = [parse(event.traceparent) for event in (*opened, *overdue)]
    assert {context and context.trace for context in contexts} == {SENT.trace}
    by_id = {span.span: span for span in seen.spans}
    late = by_id[f"{contexts[-1].span:016x}"] if contexts[-1] else None
    assert late is not None
    assert late.name.startswith("deadline ")
    assert late.attributes["bdcan.subject"] == str(overdue[0].data.escalation_id)
