"""The contents of a parcel, by the size of the household and by its diets.

Quantities follow a London foodbank's published table for households of 1 to 10. They are in the smallest units (grams,
millilitres, pieces), so that half a kilogram is no fraction. The table starts again for the eleventh person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct

from bdcan_contracts.models import Household, Lane, StockUnit
from bdcan_contracts.vocabulary import help_for
from bdcan_foodhub.domain.items import ALLERGENS, FORBIDDEN, ITEMS, Content, Item

_FOOD_PARCEL: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "soup-tin": (2, 4, 6, 8, 8, 8, 8, 10, 10, 10),
        "vegetables-tin": (2, 2, 3, 3, 3, 4, 4, 4, 5, 5),
        "tomatoes-tin": (1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
        "baked-beans-tin": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        "fish-tin": (2, 3, 3, 4, 4, 5, 5, 6, 6, 7),
        "meat-tin": (3, 3, 4, 5, 6, 6, 7, 7, 8, 8),
        "vegetable-meal-tin": (1, 2, 2, 3, 4, 5, 5, 6, 6, 6),
        "milk": (1000, 1000, 2000, 2000, 2000, 3000, 3000, 3000, 4000, 4000),
        "bread-loaf": (1, 1, 1, 2, 2, 2, 3, 3, 3, 3),
        "pasta": (1000, 1500, 2000, 2500, 2500, 2500, 3000, 3000, 3000, 4000),
        "egg": (4, 6, 6, 6, 6, 6, 10, 10, 12, 12),
        "toilet-roll": (1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
    }
)
_LARGEST = 10
_BAG_GRAMS = 8000


class Line(Struct, frozen=True):
    """A quantity of an item, in its unit. `instead_of` names the item that a diet ruled out."""

    item_id: str
    unit: StockUnit
    quantity: int
    instead_of: str | None = None


def contents(code: str, household: Household | None, diets: Iterable[str]) -> tuple[Line, ...]:
    """The lines of a parcel, one per item. A household that nobody asked about counts as one adult.

    A code that this release does not know gets the parcel of its lane. `diets` that it does not know rule out nothing here: a
    parcel with such a diet is never filled before a person has decided (see `parcel.undecided`).
    """
    home = household or Household(adults=1)
    forbidden = frozenset[Content]().union(*(FORBIDDEN[d] for d in diets if d in FORBIDDEN))
    lines: dict[str, Line] = {}
    usual = TEMPLATES[help_for(code, Lane.FOOD).parcel]
    for item_id, quantity in usual(home).items():
        line = suitable(ITEMS[item_id], quantity, forbidden)
        if line is None:
            continue
        same = lines.get(line.item_id)
        total = line.quantity + (same.quantity if same else 0)
        instead_of = line.instead_of if same is None else same.instead_of or line.instead_of
        lines[line.item_id] = Line(line.item_id, line.unit, total, instead_of)
    return tuple(lines.values())


def unsuitable(lines: Iterable[Line], diets: Iterable[str]) -> tuple[str, ...]:
    """The items of these lines that a diet rules out."""
    forbidden = frozenset[Content]().union(*(FORBIDDEN[d] for d in diets if d in FORBIDDEN))
    return tuple(line.item_id for line in lines if not ITEMS[line.item_id].suits(forbidden))


def weight_grams(lines: Iterable[Line]) -> int:
    """The weight of all lines, in whole grams, rounded up."""
    return -(-sum(ITEMS[line.item_id].milligrams * line.quantity for line in lines) // 1000)


def suitable(
    item: Item, quantity: int, forbidden: frozenset[Content], items: Mapping[str, Item] = ITEMS
) -> Line | None:
    """The item, or its first substitute that suits and brings in no new allergen. None: leave the item out."""
    if item.suits(forbidden):
        return Line(item.item_id, item.unit, quantity)
    for substitute in item.substitutes:
        other = items[substitute.item_id]
        if other.suits(forbidden) and not (other.contents - item.contents) & ALLERGENS:
            return Line(
                other.item_id, other.unit, -(-quantity * substitute.gives // substitute.per), item.item_id
            )
    return None


def pieces(lines: Iterable[Line]) -> int:
    """The number of things to carry. A measured item counts one for each started kilogram or litre."""
    return sum(line.quantity if line.unit is StockUnit.EACH else -(-line.quantity // 1000) for line in lines)


def bags_for(grams: int) -> int:
    """The number of bags. A bag has at most 8 kg, which one person can carry from a car to a door."""
    return max(1, -(-grams // _BAG_GRAMS))


def _food(home: Household) -> Mapping[str, int]:
    people = _people(home)
    return {item: _for_people(row, people) for item, row in _FOOD_PARCEL.items()}


def _baby_supplies(home: Household) -> Mapping[str, int]:
    babies = max(1, home.infants)
    return {"nappies-pack": babies, "baby-wipes-pack": 2 * babies, "baby-food-pouch": 6 * babies}


def _hygiene_supplies(home: Household) -> Mapping[str, int]:
    people = _people(home)
    couples = -(-people // 2)
    return {
        "soap-bar": people,
        "toothpaste-tube": couples,
        "shampoo-bottle": couples,
        "sanitary-towels-pack": max(1, home.adults),
    }


TEMPLATES: Mapping[str | None, Callable[[Household], Mapping[str, int]]] = MappingProxyType(
    {"food-parcel": _food, "baby-supplies": _baby_supplies, "hygiene-supplies": _hygiene_supplies}
)
"""What a parcel usually holds, by the `parcel` that the vocabulary names for a need: item → quantity for a household."""


def _people(home: Household) -> int:
    return max(1, home.adults + home.children + home.infants)


def _for_people(row: tuple[int, ...], people: int) -> int:
    full, rest = divmod(people, _LARGEST)
    return full * row[-1] + (row[rest - 1] if rest else 0)
