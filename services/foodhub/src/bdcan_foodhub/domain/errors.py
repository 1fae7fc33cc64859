"""The errors of foodhub's domain.

FoodError
├── NotAllowedError    the parcel's state does not allow it
└── StockError         there is not enough stock
"""

from __future__ import annotations


class FoodError(Exception):
    """Base of foodhub's own errors."""

    code = "refused"


class NotAllowedError(FoodError):
    """The parcel's state does not allow it."""

    code = "not-allowed"


class StockError(FoodError):
    """There is not enough stock. Stock is never negative, and never reserved twice."""

    code = "not-enough-stock"
