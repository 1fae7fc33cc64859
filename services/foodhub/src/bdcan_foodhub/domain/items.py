"""The items of parcels: unit, weight, contents, and substitutes.

A substitute never brings in an allergen that the replaced item did not have. A household may not mention an allergy,
because nothing in the usual parcel contains that allergen; a substitute must not contain it either. The catalogue below
follows this rule, and a test proves it for every item and every set of diets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from bdcan_contracts.models import StockUnit
from bdcan_contracts.vocabulary import Diet


class Content(StrEnum):
    """A content that a diet can forbid."""

    GLUTEN = "gluten"
    DAIRY = "dairy"
    EGG = "egg"
    FISH = "fish"
    NUTS = "nuts"
    MEAT = "meat"
    UNBLESSED_MEAT = "unblessed-meat"  # neither halal nor kosher
    NOT_KOSHER = "not-kosher"
    ADDED_SUGAR = "added-sugar"
    NEEDS_COOKING = "needs-cooking"


ALLERGENS = frozenset({Content.GLUTEN, Content.DAIRY, Content.EGG, Content.FISH, Content.NUTS})
"""Contents that can harm."""

FORBIDDEN: Mapping[str, frozenset[Content]] = MappingProxyType(
    {
        Diet.GLUTEN_FREE: frozenset({Content.GLUTEN}),
        Diet.DAIRY_FREE: frozenset({Content.DAIRY}),
        Diet.VEGETARIAN: frozenset({Content.MEAT, Content.FISH}),
        Diet.VEGAN: frozenset({Content.MEAT, Content.FISH, Content.DAIRY, Content.EGG}),
        Diet.PESCATARIAN: frozenset({Content.MEAT}),
        Diet.HALAL: frozenset({Content.UNBLESSED_MEAT}),
        Diet.KOSHER: frozenset({Content.UNBLESSED_MEAT, Content.NOT_KOSHER}),
        Diet.DIABETIC: frozenset({Content.ADDED_SUGAR}),
        Diet.NUT_ALLERGY: frozenset({Content.NUTS}),
        Diet.SEAFOOD_ALLERGY: frozenset({Content.FISH}),
        Diet.NO_COOKING_FACILITIES: frozenset({Content.NEEDS_COOKING}),
    }
)
"""What each diet rules out."""


class Substitute(Struct, frozen=True):
    """`gives` units of another item for every `per` units of the item it replaces."""

    item_id: str
    gives: int = 1
    per: int = 1


class Item(Struct, frozen=True):
    """One kind of stock. `milligrams`: the weight of one unit. `low_below`: with fewer free units, the item is low.

    Food never waits for an item that is no food: that one follows later. `good_after`: how long checked goods may go out after their
    best-before date.
    """

    item_id: str
    unit: StockUnit
    milligrams: int
    low_below: int
    contents: frozenset[Content] = frozenset()
    substitutes: tuple[Substitute, ...] = ()
    food: bool = True
    good_after: timedelta = timedelta(days=180)

    def suits(self, forbidden: frozenset[Content]) -> bool:
        """Whether the item contains nothing forbidden."""
        return not self.contents & forbidden


def _each(
    item_id: str,
    grams: int,
    *contents: Content,
    low: int = 50,
    instead: tuple[Substitute, ...] = (),
    good_after: timedelta = timedelta(days=180),
) -> Item:
    return Item(
        item_id, StockUnit.EACH, grams * 1000, low, frozenset(contents), instead, good_after=good_after
    )


def _supply(item_id: str, grams: int, low: int = 50) -> Item:
    return Item(item_id, StockUnit.EACH, grams * 1000, low, food=False)


def _gram(item_id: str, *contents: Content, instead: tuple[Substitute, ...] = ()) -> Item:
    dry = timedelta(days=3 * 365)
    return Item(item_id, StockUnit.GRAM, 1000, 50_000, frozenset(contents), instead, good_after=dry)


def _millilitre(item_id: str, *contents: Content, instead: tuple[Substitute, ...] = ()) -> Item:
    return Item(item_id, StockUnit.MILLILITRE, 1030, 50_000, frozenset(contents), instead)


C = Content
_CHICKPEAS = "chickpeas-tin"

_ALL = (
    _each("soup-tin", 400, C.GLUTEN, C.DAIRY, C.NOT_KOSHER, instead=(Substitute("lentil-soup-tin"),)),
    _each("lentil-soup-tin", 400),
    _each("vegetables-tin", 400),
    _each("tomatoes-tin", 400),
    _each("baked-beans-tin", 415, C.ADDED_SUGAR, instead=(Substitute("plain-beans-tin"),)),
    _each("plain-beans-tin", 400),
    _each("fish-tin", 145, C.FISH, instead=(Substitute(_CHICKPEAS),)),
    _each(
        "meat-tin",
        300,
        C.MEAT,
        C.UNBLESSED_MEAT,
        C.NOT_KOSHER,
        instead=(Substitute("halal-meat-tin"), Substitute(_CHICKPEAS)),
    ),
    _each("halal-meat-tin", 300, C.MEAT, C.NOT_KOSHER),
    _each(_CHICKPEAS, 400),
    _each("vegetable-meal-tin", 400, C.GLUTEN, C.DAIRY, instead=(Substitute("bean-stew-tin"),)),
    _each("bean-stew-tin", 400),
    _millilitre("milk", C.DAIRY, instead=(Substitute("rice-drink"),)),
    _millilitre("rice-drink"),
    _each(
        "bread-loaf",
        800,
        C.GLUTEN,
        instead=(Substitute("rice-cakes-pack", 2),),
        good_after=timedelta(days=7),
    ),
    _each("rice-cakes-pack", 130),
    _gram(
        "pasta",
        C.GLUTEN,
        C.NEEDS_COOKING,
        instead=(Substitute("rice"), Substitute("ready-rice-pouch", 1, 125)),
    ),
    _gram("rice", C.NEEDS_COOKING),
    _each("ready-rice-pouch", 250),
    _each(
        "egg",
        60,
        C.EGG,
        C.NEEDS_COOKING,
        low=120,
        instead=(Substitute(_CHICKPEAS, 1, 3),),
        good_after=timedelta(0),
    ),
    _supply("toilet-roll", 100),
    _supply("nappies-pack", 1200, low=20),
    _supply("baby-wipes-pack", 400, low=20),
    _each("baby-food-pouch", 120, low=60, good_after=timedelta(0)),
    _supply("soap-bar", 100),
    _supply("toothpaste-tube", 130, low=20),
    _supply("shampoo-bottle", 450, low=20),
    _supply("sanitary-towels-pack", 90, low=20),
)

ITEMS: Mapping[str, Item] = MappingProxyType({item.item_id: item for item in _ALL})
"""Every item that the foodhub knows, by id."""
