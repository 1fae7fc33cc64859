"""The contents of a parcel."""

from __future__ import annotations

from itertools import combinations

import pytest

from bdcan_contracts.models import Household, StockUnit
from bdcan_contracts.vocabulary import LANES, NEEDS, Diet, NeedCode
from bdcan_foodhub.domain.contents import TEMPLATES, Line, bags_for, contents, pieces, suitable, weight_grams
from bdcan_foodhub.domain.items import ALLERGENS, FORBIDDEN, ITEMS, Content, Item, Substitute

EVERY_DIETS = [d for n in range(len(Diet) + 1) for d in combinations(Diet, n)]


def quantities(people: int, *diets: Diet) -> dict[str, int]:
    lines = contents(NeedCode.FOOD_PARCEL, Household(adults=people), diets)
    return {line.item_id: line.quantity for line in lines}


@pytest.mark.parametrize(
    ("people", "soup", "pasta", "eggs", "milk"),
    [(1, 2, 1000, 4, 1000), (2, 4, 1500, 6, 1000), (5, 8, 2500, 6, 2000), (10, 10, 4000, 12, 4000)],
)
def test_food_follows_the_published_table(people: int, soup: int, pasta: int, eggs: int, milk: int):
    held = quantities(people)
    assert (held["soup-tin"], held["pasta"], held["egg"], held["milk"]) == (soup, pasta, eggs, milk)
    assert held["baked-beans-tin"] == people


def test_table_starts_again_after_ten_people():
    ten, three, thirteen = quantities(10), quantities(3), quantities(13)
    assert thirteen == {item: ten[item] + three[item] for item in ten}


def test_unknown_household_gets_food_for_one():
    assert contents(NeedCode.FOOD_PARCEL, None, ()) == contents(NeedCode.FOOD_PARCEL, Household(adults=1), ())


def test_household_of_nobody_gets_a_parcel_that_is_not_empty():
    assert contents(NeedCode.FOOD_PARCEL, Household(adults=0), ())


def test_parcel_holds_nothing_that_a_diet_forbids():
    for diets in EVERY_DIETS:
        forbidden = frozenset[Content]().union(*(FORBIDDEN[d] for d in diets))
        for line in contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets):
            assert not ITEMS[line.item_id].contents & forbidden, (diets, line)


def test_substitutes_bring_in_no_allergen():
    for diets in EVERY_DIETS:
        for line in contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets):
            if line.instead_of is not None:
                added = ITEMS[line.item_id].contents - ITEMS[line.instead_of].contents
                assert not added & ALLERGENS, (diets, line)


def test_no_item_of_the_table_is_dropped_without_a_substitute():
    table = len(contents(NeedCode.FOOD_PARCEL, Household(adults=4), ()))
    for diets in EVERY_DIETS:
        lines = contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets)
        chickpeas_for = {"fish-tin", "meat-tin", "egg"}  # these may all become the same item
        assert len(lines) >= table - len(chickpeas_for), diets


def test_gluten_free_home_without_a_cooker_gets_ready_rice():
    held = quantities(1, Diet.GLUTEN_FREE, Diet.NO_COOKING_FACILITIES)
    assert "pasta" not in held
    assert "rice" not in held
    assert held["ready-rice-pouch"] == 8


def test_vegan_parcel_replaces_fish_meat_and_eggs_by_chickpeas():
    lines = contents(NeedCode.FOOD_PARCEL, Household(adults=1), (Diet.VEGAN,))
    chickpeas = [line for line in lines if line.item_id == "chickpeas-tin"]
    assert [line.quantity for line in chickpeas] == [2 + 3 + 2]  # fish, meat, and four eggs at three a tin


def test_halal_parcel_has_halal_meat_and_kosher_has_none():
    assert "halal-meat-tin" in quantities(1, Diet.HALAL)
    assert not {"halal-meat-tin", "meat-tin"} & quantities(1, Diet.KOSHER).keys()


def test_twins_get_baby_supplies_each():
    lines = contents(NeedCode.BABY_SUPPLIES, Household(adults=1, infants=2), ())
    assert {line.item_id: line.quantity for line in lines} == {
        "nappies-pack": 2,
        "baby-wipes-pack": 4,
        "baby-food-pouch": 12,
    }


def test_three_people_share_tubes_and_bottles():
    lines = contents(NeedCode.HYGIENE_SUPPLIES, Household(adults=2, children=1), ())
    assert {line.item_id: line.quantity for line in lines} == {
        "soap-bar": 3,
        "toothpaste-tube": 2,
        "shampoo-bottle": 2,
        "sanitary-towels-pack": 2,
    }


def test_every_parcel_of_the_vocabulary_has_a_template():
    named = {known.parcel for known in (*NEEDS.values(), *LANES.values()) if known.parcel}
    assert named <= set(TEMPLATES)


def test_unknown_food_need_gets_the_parcel_of_its_lane():
    assert contents("easter-eggs", None, ()) == contents(NeedCode.FOOD_PARCEL, None, ())


def test_weight_pieces_and_bags_are_rounded_up():
    lines = (
        Line("pasta", StockUnit.GRAM, 1500),
        Line("milk", StockUnit.MILLILITRE, 1000),
        Line("soup-tin", StockUnit.EACH, 2),
    )
    assert weight_grams(lines) == 1500 + 1030 + 800
    assert pieces(lines) == 2 + 1 + 2
    assert [bags_for(g) for g in (0, 1, 8000, 8001)] == [1, 1, 1, 2]


def test_every_named_substitute_exists():
    named = {s.item_id for item in ITEMS.values() for s in item.substitutes}
    assert named <= ITEMS.keys()


def test_substitute_with_its_own_allergen_is_skipped():
    usual = Item(
        "milk",
        StockUnit.MILLILITRE,
        1030,
        0,
        frozenset({Content.DAIRY}),
        (Substitute("almond-drink"), Substitute("rice-drink")),
    )
    nutty = Item("almond-drink", StockUnit.MILLILITRE, 1030, 0, frozenset({Content.NUTS}))
    plain = Item("rice-drink", StockUnit.MILLILITRE, 1030, 0)
    items = {i.item_id: i for i in (usual, nutty, plain)}
    line = suitable(usual, 1000, frozenset({Content.DAIRY}), items)
    assert line == Line("rice-drink", StockUnit.MILLILITRE, 1000, "milk")
