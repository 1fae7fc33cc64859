"""Stock is never negative, never reserved twice, and never lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import StockChanged, StockFellLow, StockUnit
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.stock import Level, Move, MoveKind, Movement, Place, Promise, announce, empty, move

TINS = st.sampled_from(["soup-tin", "fish-tin", "egg"])
AMOUNTS = st.integers(1, 20)
LINES = st.dictionaries(TINS, AMOUNTS, min_size=1).map(
    lambda found: tuple(Line(item, StockUnit.EACH, quantity) for item, quantity in found.items())
)


class Shelf:
    """Levels as a unit of work has them, and the ledger of what happened to them."""

    def __init__(self) -> None:
        self.levels: dict[Place, Level] = {}
        self.ledger: list[Movement] = []

    def level(self, item: str) -> Level:
        place = Place("central", item)
        return self.levels.get(place) or empty(place)

    def move(self, *moves: Move) -> None:
        """All of them or none, as a unit of work that is rolled back."""
        before = dict(self.levels)
        try:
            for one in moves:
                level = move(self.level(one.item_id), one).state
                self.levels[level.place] = level
        except StockError:
            self.levels = before
            raise
        self.ledger += [one for one in moves if isinstance(one, Movement)]


def moved(kind: MoveKind, **quantities: int) -> list[Move]:
    cause = new_id()
    return [
        Movement("central", item.replace("_", "-"), kind, quantity, cause)
        for item, quantity in quantities.items()
    ]


def for_lines(kind: MoveKind, lines: tuple[Line, ...]) -> list[Move]:
    return moved(kind, **{line.item_id: line.quantity for line in lines})


def promised(lines: tuple[Line, ...], sign: int = 1) -> list[Move]:
    return [Promise("central", line.item_id, sign * line.quantity) for line in lines]


class StockMachine(RuleBasedStateMachine):
    """Any order of receipts, promises, releases, packing, unpacking and waste."""

    promised = Bundle("promised")
    packed = Bundle("packed")

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf()
        self.promises: Counter[str] = Counter()

    @rule(item=TINS, quantity=AMOUNTS)
    def receive(self, item: str, quantity: int) -> None:
        self.shelf.move(*moved(MoveKind.RECEIVED, **{item: quantity}))

    @rule(target=promised, lines=LINES)
    def promise(self, lines: tuple[Line, ...]):
        if any(self.shelf.level(x.item_id).free < x.quantity for x in lines):
            with pytest.raises(StockError):
                self.shelf.move(*promised(lines))
            return multiple()
        self.shelf.move(*promised(lines))
        self.promises.update({x.item_id: x.quantity for x in lines})
        return lines

    @rule(lines=consumes(promised))
    def release(self, lines: tuple[Line, ...]) -> None:
        self.shelf.move(*promised(lines, -1))
        self.promises.subtract({x.item_id: x.quantity for x in lines})

    @rule(target=packed, lines=consumes(promised))
    def pack(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        self.shelf.move(*for_lines(MoveKind.ISSUED, lines))
        self.promises.subtract({x.item_id: x.quantity for x in lines})
        return lines

    @rule(lines=consumes(packed))
    def unpack(self, lines: tuple[Line, ...]) -> None:
        self.shelf.move(*for_lines(MoveKind.PUT_BACK, lines))

    @rule(item=TINS, quantity=AMOUNTS)
    def waste(self, item: str, quantity: int) -> None:
        wasted = moved(MoveKind.WASTED, **{item: quantity})
        if self.shelf.level(item).free >= quantity:
            self.shelf.move(*wasted)
        else:
            with pytest.raises(StockError):
                self.shelf.move(*wasted)

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
        told: Counter[tuple[str, MoveKind]] = Counter()
        for m in self.shelf.ledger:
            told[m.item_id, m.kind] += m.quantity
        for level in self.shelf.levels.values():
            item = level.item_id
            assert level.received == told[item, MoveKind.RECEIVED]
            assert level.issued == told[item, MoveKind.ISSUED] - told[item, MoveKind.PUT_BACK]
            assert level.wasted == told[item, MoveKind.WASTED]


TestStock = StockMachine.TestCase
TestStock.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_promise_of_more_than_is_free_is_refused():
    shelf = Shelf()
    shelf.move(*moved(MoveKind.RECEIVED, soup_tin=3))
    with pytest.raises(StockError):
        shelf.move(Promise("central", "soup-tin", 4))
    assert shelf.level("soup-tin").free == 3


def test_only_free_goods_can_be_wasted():
    shelf = Shelf()
    shelf.move(*moved(MoveKind.RECEIVED, soup_tin=3), Promise("central", "soup-tin", 2))
    with pytest.raises(StockError):
        shelf.move(*moved(MoveKind.WASTED, soup_tin=2))
    shelf.move(*moved(MoveKind.WASTED, soup_tin=1))
    assert shelf.level("soup-tin").free == 0


def test_low_stock_is_told_once_until_it_is_no_longer_low():
    level = move(empty(Place("central", "soup-tin")), *moved(MoveKind.RECEIVED, soup_tin=49)).state
    first = announce(level, START)
    again = announce(first.state, START)
    plenty = announce(move(again.state, *moved(MoveKind.RECEIVED, soup_tin=9)).state, START)
    assert [type(step.events[0]) for step in (first, again, plenty)] == [
        StockFellLow,
        StockChanged,
        StockChanged,
    ]
    assert (first.state.low, plenty.state.low) == (True, False)
