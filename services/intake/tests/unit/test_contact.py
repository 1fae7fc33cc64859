"""Postcodes and telephones as people write them."""

import pytest

from bdcan_intake.domain.contact import can_be_rung, postcode_sector, tidy_postcode


@pytest.mark.parametrize("typed", ["RM10 8XX", "rm108xx", " rm10-8xx ", "R M 1 0 8 X X"])
def test_given_a_postcode_in_any_notation_then_it_gets_its_usual_form(typed: str):
    assert tidy_postcode(typed) == ("RM10 8XX", True)


@pytest.mark.parametrize("typed", ["RM10", "I don't know", "12 Example Road", "RM10 8CI", "75001"])
def test_given_what_is_no_postcode_then_it_stays_as_typed(typed: str):
    assert tidy_postcode(typed) == (typed, False)


@pytest.mark.parametrize(
    "typed",
    [
        "07700 900123",
        "+44 7700 900123",
        "+44 (0)7700 900123",
        "0044 7700 900123",
        "(020) 7946 0123",
        "+33 1 99 00 12 34",
    ],
)
def test_given_a_number_that_can_be_dialled_then_it_counts_as_a_phone(typed: str):
    assert can_be_rung(typed)


@pytest.mark.parametrize(
    "typed", ["", "none", "0770", "ask her neighbour", "1234567890", "07700 900123 ext 4"]
)
def test_given_what_cannot_be_dialled_then_it_does_not_count(typed: str):
    assert not can_be_rung(typed)


def test_given_a_postcode_then_its_sector_says_less_than_the_home():
    assert postcode_sector("rm10 8xx") == "RM10 8"
    assert postcode_sector("nowhere") is None
