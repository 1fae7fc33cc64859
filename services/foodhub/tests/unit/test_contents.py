"""What a parcel holds."""

from __future__ import annotations

from itertools import combinations

import pytest

from bdcan_contracts.models import Diet, Household, NeedCode, StockUnit
from bdcan_foodhub.domain.contents import Line, bags_for, contents, pieces, suitable, weight_grams
from bdcan_foodhub.domain.items import ALLERGENS, FORBIDDEN, ITEMS, Content, Item, Substitute

EVERY_DIETS = [d for n in range(len(Diet) + 1) for d in combinations(Diet, n)]


def quantities(people: int, *diets: Diet) -> dict[str, int]:
    lines = contents(NeedCode.FOOD_PARCEL, Household(adults=people), diets)
    return {line.item_id: line.quantity for line in lines}


@pytest.mark.parametrize(
    ("people", "soup", "pasta", "eggs", "milk"),
    [(1, 2, 1000, 4, 1000), (2, 4, 1500, 6, 1000), (5, 8, 2500, 6, 2000), (10, 10, 4000, 12, 4000)],
)
def test_given_a_household_when_it_needs_food_then_the_published_table_applies(
    people: int, soup: int, pasta: int, eggs: int, milk: int
):
    held = quantities(people)
    assert (held["soup-tin"], held["pasta"], held["egg"], held["milk"]) == (soup, pasta, eggs, milk)
    assert held["baked-beans-tin"] == people


def test_given_thirteen_people_when_they_need_food_then_the_table_starts_again_for_the_last_three():
    ten, three, thirteen = quantities(10), quantities(3), quantities(13)
    assert thirteen == {item: ten[item] + three[item] for item in ten}


def test_given_nobody_asked_who_lives_there_when_food_is_needed_then_it_is_for_one():
    assert contents(NeedCode.FOOD_PARCEL, None, ()) == contents(NeedCode.FOOD_PARCEL, Household(adults=1), ())


def test_given_a_home_of_nobody_when_food_is_needed_then_the_parcel_is_not_empty():
    assert contents(NeedCode.FOOD_PARCEL, Household(adults=0), ())


def test_given_every_set_of_diets_when_a_parcel_is_made_then_it_holds_nothing_forbidden():
    for diets in EVERY_DIETS:
        forbidden = frozenset[Content]().union(*(FORBIDDEN[d] for d in diets))
        for line in contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets):
            assert not ITEMS[line.item_id].contents & forbidden, (diets, line)


def test_given_every_set_of_diets_when_an_item_is_replaced_then_no_allergen_comes_in():
    for diets in EVERY_DIETS:
        for line in contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets):
            if line.instead_of is not None:
                added = ITEMS[line.item_id].contents - ITEMS[line.instead_of].contents
                assert not added & ALLERGENS, (diets, line)


def test_given_every_set_of_diets_when_a_parcel_is_made_then_no_item_of_the_table_is_simply_left_out():
    table = len(contents(NeedCode.FOOD_PARCEL, Household(adults=4), ()))
    for diets in EVERY_DIETS:
        lines = contents(NeedCode.FOOD_PARCEL, Household(adults=4), diets)
        chickpeas_for = {"fish-tin", "meat-tin", "egg"}  # these may all become the same item
        assert len(lines) >= table - len(chickpeas_for), diets


def test_given_a_gluten_free_home_without_a_cooker_when_food_is_needed_then_pasta_becomes_ready_rice():
    held = quantities(1, Diet.GLUTEN_FREE, Diet.NO_COOKING_FACILITIES)
    assert "pasta" not in held
    assert "rice" not in held
    assert held["ready-rice-pouch"] == 8


def test_given_vegans_when_food_is_needed_then_fish_meat_and_eggs_add_up_to_one_line_of_chickpeas():
    lines = contents(NeedCode.FOOD_PARCEL, Household(adults=1), (Diet.VEGAN,))
    chickpeas = [line for line in lines if line.item_id == "chickpeas-tin"]
    assert [line.quantity for line in chickpeas] == [2 + 3 + 2]  # fish, meat, and four eggs at three a tin


def test_given_halal_when_food_is_needed_then_meat_is_halal_and_kosher_gets_none():
    assert "halal-meat-tin" in quantities(1, Diet.HALAL)
    assert not {"halal-meat-tin", "meat-tin"} & quantities(1, Diet.KOSHER).keys()


def test_given_twins_when_baby_supplies_are_needed_then_there_are_some_for_each():
    lines = contents(NeedCode.BABY_SUPPLIES, Household(adults=1, infants=2), ())
    assert {line.item_id: line.quantity for line in lines} == {
        "nappies-pack": 2,
        "baby-wipes-pack": 4,
        "baby-food-pouch": 12,
    }


def test_given_three_people_when_hygiene_supplies_are_needed_then_they_share_tubes_and_bottles():
    lines = contents(NeedCode.HYGIENE_SUPPLIES, Household(adults=2, children=1), ())
    assert {line.item_id: line.quantity for line in lines} == {
        "soap-bar": 3,
        "toothpaste-tube": 2,
        "shampoo-bottle": 2,
        "sanitary-towels-pack": 2,
    }


def test_given_another_need_when_a_parcel_is_asked_for_then_that_is_an_error():
    with pytest.raises(ValueError, match="housing"):
        contents(NeedCode.HOUSING, None, ())


def test_given_lines_when_they_are_carried_then_weight_pieces_and_bags_are_rounded_up():
    lines = (
        Line("pasta", StockUnit.GRAM, 1500),
        Line("milk", StockUnit.MILLILITRE, 1000),
        Line("soup-tin", StockUnit.EACH, 2),
    )
    assert weight_grams(lines) == 1500 + 1030 + 800
    assert pieces(lines) == 2 + 1 + 2
    assert [bags_for(g) for g in (0, 1, 8000, 8001)] == [1, 1, 1, 2]


def test_given_the_catalogue_when_a_substitute_is_named_then_it_exists():
    named = {s.item_id for item in ITEMS.values() for s in item.substitutes}
    assert named <= ITEMS.keys()


def test_given_a_substitute_with_an_allergen_of_its_own_when_the_item_is_ruled_out_then_it_is_passed_over():
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
