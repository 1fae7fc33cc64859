"""What operations sees of escalations: a fault shows in the right series, and goes away with it."""

from __future__ import annotations

from datetime import timedelta

from escalation_story import a_need, call_back, called, given_concern, said, sent
from prometheus_client import REGISTRY

from bdcan_chassis.housekeeping import sample
from bdcan_chassis.ids import derived_id, new_id
from bdcan_escalation.metrics import SAMPLES

NOBODY = {"promise": "escalations", "hub": "none"}


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def counted(outcome: str) -> float:
    return read("bdcan_promises_total", **NOBODY, outcome=outcome) or 0


async def after(world, **span: float) -> None:
    world.service.clock.advance(timedelta(**span))
    await sample(world.service.transactions, SAMPLES)


async def test_safeguarding_that_the_council_does_not_take_shows_and_is_late(world):
    await after(world)
    assert read("bdcan_safeguarding_waiting") == 0
    assert read("bdcan_safeguarding_waiting_seconds") is None
    await given_concern(world)
    world.faults.status = 503
    attempts = read("bdcan_council_requests_total", lane="safeguarding", result="failing") or 0
    await world.service.run("forward-safeguarding")
    assert read("bdcan_council_requests_total", lane="safeguarding", result="failing") == attempts + 1
    await after(world, minutes=10)
    assert read("bdcan_safeguarding_waiting") == 1
    assert read("bdcan_safeguarding_waiting_seconds") == 600
    assert read("bdcan_escalation_due_seconds", kind="safeguarding", stage="forward") == 300
    assert read("bdcan_escalation_forward_problems", problem="council-503") == 1
    assert read("bdcan_promises_late", **NOBODY) == 0

    missed = counted("missed")
    for _ in range(2):
        world.service.clock.advance(timedelta(minutes=31))
        await world.service.fire()
        await after(world)
        assert read("bdcan_promises_late", **NOBODY) == 1
    assert counted("missed") == missed + 1
    assert read("bdcan_promise_latest_seconds", **NOBODY) == (10 + 62 - 15) * 60
    assert read("bdcan_escalations_late", stage="forward") == 1
    assert read("bdcan_escalations_late", stage="decide") == 0

    world.faults.status = None
    world.service.clock.advance(timedelta(hours=1))
    assert await world.service.run("forward-safeguarding") == 1
    await after(world)
    assert read("bdcan_safeguarding_waiting") == 0
    assert read("bdcan_escalation_forward_problems", problem="council-503") == 0


async def test_few_cases_of_a_kind_are_not_counted(world):
    for _ in range(4):
        await world.service.deliver(called(new_id(), said(a_need())))
    await after(world)
    assert read("bdcan_escalations", kind="complex", state="opened", late="0") is None
    assert read("bdcan_escalation_oldest_seconds", kind="complex", state="opened") == 0
    await world.service.deliver(called(new_id(), said(a_need())))
    await after(world)
    assert read("bdcan_escalations", kind="complex", state="opened", late="0") == 5


async def test_steps_in_time_are_kept_and_call_backs_counted(world):
    need, kept = a_need(), counted("kept")
    await world.service.deliver(called(new_id(), said(need)))
    escalation_id = derived_id(need.need_id, "escalation")

    def answers() -> list[float]:
        return [
            read("bdcan_call_backs_total", event="acknowledged", answer=answer) or 0
            for answer in ("taken", "repeated")
        ]

    before, told = answers(), call_back(escalation_id, "acknowledged")
    await sent(world, told)
    assert counted("kept") == kept + 1
    await sent(world, told)
    assert answers() == [before[0] + 1, before[1] + 1]
    await sent(world, call_back(escalation_id, "accepted"))
    assert counted("kept") == kept + 2
    unknown = read("bdcan_call_backs_total", event="acknowledged", answer="unknown-case") or 0
    await sent(world, call_back(new_id(), "acknowledged"))
    assert read("bdcan_call_backs_total", event="acknowledged", answer="unknown-case") == unknown + 1
