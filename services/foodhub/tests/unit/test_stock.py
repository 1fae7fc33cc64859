"""Stock is never negative, never promised twice, and never lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from bdcan_chassis.ids import new_id
from bdcan_contracts.models import StockUnit
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.stock import MoveKind, Place, Shelf

TINS = st.sampled_from(["soup-tin", "fish-tin", "egg"])
AMOUNTS = st.integers(1, 20)
LINES = st.dictionaries(TINS, AMOUNTS, min_size=1).map(
    lambda found: tuple(Line(item, StockUnit.EACH, quantity) for item, quantity in found.items())
)


class StockMachine(RuleBasedStateMachine):
    """Any order of receipts, promises, releases, packing, unpacking and waste."""

    promised = Bundle("promised")
    packed = Bundle("packed")

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf({})
        self.promises: Counter[str] = Counter()

    @rule(item=TINS, quantity=AMOUNTS)
    def receive(self, item: str, quantity: int) -> None:
        self.shelf.receive(Place("central", item), quantity, new_id())

    @rule(target=promised, lines=LINES)
    def promise(self, lines: tuple[Line, ...]):
        enough = all(self.shelf.level(Place("central", x.item_id)).free >= x.quantity for x in lines)
        if not enough:
            before = dict(self.shelf.levels)
            try:
                self.shelf.reserve("central", lines)
            except StockError:
                self.shelf.levels = before  # the unit of work is rolled back
                return multiple()
            raise AssertionError("promised what was not there")
        self.shelf.reserve("central", lines)
        self.promises.update({x.item_id: x.quantity for x in lines})
        return lines

    @rule(lines=consumes(promised))
    def release(self, lines: tuple[Line, ...]) -> None:
        self.shelf.release("central", lines)
        self.promises.subtract({x.item_id: x.quantity for x in lines})

    @rule(target=packed, lines=consumes(promised))
    def pack(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        self.shelf.issue("central", lines, new_id())
        self.promises.subtract({x.item_id: x.quantity for x in lines})
        return lines

    @rule(lines=consumes(packed))
    def unpack(self, lines: tuple[Line, ...]) -> None:
        self.shelf.put_back("central", lines, new_id())

    @rule(item=TINS, quantity=AMOUNTS)
    def waste(self, item: str, quantity: int) -> None:
        place = Place("central", item)
        if self.shelf.level(place).free >= quantity:
            self.shelf.waste(place, quantity, new_id())
        else:
            with pytest.raises(StockError):
                self.shelf.waste(place, quantity, new_id())

    @invariant()
    def what_came_in_is_somewhere(self) -> None:
        for level in self.shelf.levels.values():
            assert level.received == level.on_hand + level.issued + level.wasted
            assert 0 <= level.reserved <= level.on_hand
            assert level.free >= 0

    @invariant()
    def promises_add_up(self) -> None:
        assert {p.item_id: x.reserved for p, x in self.shelf.levels.items() if x.reserved} == {
            item: quantity for item, quantity in self.promises.items() if quantity
        }

    @invariant()
    def the_ledger_tells_the_levels(self) -> None:
        told: Counter[tuple[Place, MoveKind]] = Counter()
        for m in self.shelf.movements:
            told[m.place, m.kind] += m.quantity
        for place, level in self.shelf.levels.items():
            assert level.received == told[place, MoveKind.RECEIVED]
            assert level.issued == told[place, MoveKind.ISSUED] - told[place, MoveKind.PUT_BACK]
            assert level.wasted == told[place, MoveKind.WASTED]


TestStock = StockMachine.TestCase
TestStock.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_given_three_tins_when_four_are_wanted_then_it_is_an_error_and_nothing_has_moved():
    shelf = Shelf({})
    place = Place("central", "soup-tin")
    shelf.receive(place, 3, new_id())
    with pytest.raises(StockError):
        shelf.reserve("central", (Line("soup-tin", StockUnit.EACH, 4),))
    assert shelf.level(place).free == 3


def test_given_a_promise_when_goods_are_wasted_then_only_what_is_free_can_go():
    shelf = Shelf({})
    place = Place("central", "soup-tin")
    shelf.receive(place, 3, new_id())
    shelf.reserve("central", (Line("soup-tin", StockUnit.EACH, 2),))
    with pytest.raises(StockError):
        shelf.waste(place, 2, new_id())
    shelf.waste(place, 1, new_id())
    assert shelf.level(place).free == 0
