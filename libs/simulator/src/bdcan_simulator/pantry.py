"""What suppliers bring to a food site, sized by the parcels that it is for."""

from __future__ import annotations

from typing import Any

_FOR_A_HUNDRED_PARCELS = {
    "soup-tin": 440, "lentil-soup-tin": 120, "vegetables-tin": 270, "tomatoes-tin": 170, "baked-beans-tin": 240,
    "plain-beans-tin": 40, "fish-tin": 290, "meat-tin": 280, "halal-meat-tin": 90, "chickpeas-tin": 120,
    "vegetable-meal-tin": 220, "bean-stew-tin": 60, "milk": 150_000, "rice-drink": 15_000, "bread-loaf": 140,
    "rice-cakes-pack": 20, "pasta": 180_000, "rice": 15_000, "ready-rice-pouch": 60, "egg": 540, "toilet-roll": 170,
    "nappies-pack": 20, "baby-wipes-pack": 40, "baby-food-pouch": 120, "soap-bar": 60, "toothpaste-tube": 30,
    "shampoo-bottle": 30, "sanitary-towels-pack": 40,
}  # fmt: skip
"""Units (pieces, grams, millilitres) that a hundred parcels of the borough's mix of households and diets take, with a margin."""


def delivery(parcels: int) -> list[dict[str, Any]]:
    """The lines of a delivery for so many parcels: whole units, at least a handful of each item."""
    return [
        {"item_id": item, "quantity": max(20, -(-quantity * parcels // 100))}
        for item, quantity in _FOR_A_HUNDRED_PARCELS.items()
    ]
