"""What the foodhub refuses.

FoodError
├── NotAllowedError    the parcel's state does not allow it
└── StockError         there is not so much of it to take
"""

from __future__ import annotations


class FoodError(Exception):
    """Base of the foodhub's own errors."""

    code = "refused"


class NotAllowedError(FoodError):
    """The parcel's present state does not allow it."""

    code = "not-allowed"


class StockError(FoodError):
    """More would be taken than there is: stock is never negative, nor promised twice."""

    code = "not-enough-stock"
