"""Dates in the notations that people use here."""

from __future__ import annotations

from datetime import date, datetime

from bdcan_contracts.typed.text import compatible

DATE_NOTATIONS = {"YYYY-MM-DD": "%Y-%m-%d", "DD/MM/YYYY": "%d/%m/%Y"}
"""Every notation, as people see it and as `strptime` reads it: ISO 8601, and day first as British lists have it."""


def read_date(typed: str | None) -> date | None:
    """Read a date; None where the text is none."""
    text = compatible(typed)
    for layout in DATE_NOTATIONS.values():
        try:
            return datetime.strptime(text, layout).date()  # noqa: DTZ007 # a date of birth has no time zone
        except ValueError:
            continue
    return None
