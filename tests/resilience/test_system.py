"""Variants of a process: a second worker, and one with a wrong clock."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.clock import parse_clock
from bdcan_local.child import Command
from bdcan_local.supervisor import Unit

from .system import second_worker, with_wrong_clock

CLOCK = "scaled:2020-03-23T08:00:00+00:00:1000.500:120"
WORKER = Unit(
    "intake-worker", Command(("python",), {"BDCAN_CLOCK": CLOCK, "BDCAN_OPS_PORT": "1"}), port=1, url="here"
)


def test_second_worker_has_its_own_name_and_port() -> None:
    second = second_worker(WORKER, 2)
    assert (second.name, second.port, second.command.argv) == ("intake-worker-2", 2, WORKER.command.argv)
    assert second.command.environment == {"BDCAN_CLOCK": CLOCK, "BDCAN_OPS_PORT": "2"}
    assert second.is_ready is not None


def test_wrong_clock_is_off_by_the_given_minutes_only() -> None:
    right = parse_clock(CLOCK)
    for minutes in (7.5, -3.0):
        unit = with_wrong_clock(WORKER, minutes)
        wrong = parse_clock(unit.command.environment["BDCAN_CLOCK"])
        off = wrong.now() - right.now() - timedelta(minutes=minutes)
        assert abs(off) < timedelta(minutes=1)
        assert wrong.real_seconds(timedelta(hours=1)) == right.real_seconds(timedelta(hours=1))
        assert unit.name == WORKER.name
