"""Who asks to be erased: spread over the borough, at every moment, and nobody whose request is sent a second time."""

from __future__ import annotations

from collections import Counter

from bdcan_simulator.borough import Borough
from bdcan_simulator.erasures import FIRST_ROWS, who_asks
from bdcan_simulator.ledger import Moment
from bdcan_simulator.postcodes import MadeUpPostcodes


def test_residents_of_all_doors_ask_at_every_moment() -> None:
    residents = list(Borough(8, MadeUpPostcodes()).residents(80))
    asks = who_asks(residents, 20)
    assert len(asks) == 20
    assert set(asks.values()) == set(Moment) - {Moment.IN_VAIN}
    assert {residents[number].system.door for number in asks} == {r.system.door for r in residents}
    waiting = {number for number, moment in asks.items() if moment in {Moment.IN_HAND, Moment.ENDED}}
    assert waiting
    assert all(residents[number].reachable for number in waiting)
    before: Counter[str] = Counter()
    for resident in residents:
        assert resident.number not in asks or before[resident.system.name] >= FIRST_ROWS
        before[resident.system.name] += 1


def test_few_residents_have_few_who_ask() -> None:
    assert who_asks(Borough(8, MadeUpPostcodes()).residents(3), 1) == {}
