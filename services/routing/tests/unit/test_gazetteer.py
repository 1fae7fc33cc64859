"""From a postcode to its ward, with what is known of it as plain values."""

from __future__ import annotations

import pytest

from bdcan_contracts.models import AssignmentMethod
from bdcan_contracts.typed import Postcode, read_postcode
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.gazetteer import (
    InWard,
    Lookup,
    OutOfArea,
    Thresholds,
    Unit,
    Unplaceable,
    locate,
    lookup_keys,
    tally,
)
from bdcan_routing.domain.wards import BOROUGH, WARD_NAMES, WARDS, vintage_of

ABBEY, NORTHBURY, GASCOIGNE = "E05014053", "E05014066", "E05014061"
REDBRIDGE = "E09000026"


def lookup(coarse: bool = False, units=None, **shares) -> Lookup:
    return Lookup("release 1", coarse, units or {}, {k.replace("_", " "): v for k, v in shares.items()})


def test_exact_row_makes_its_ward_certain():
    found = locate(read_postcode("ig117nb"), lookup(units={"IG11 7NB": Unit(BOROUGH, ABBEY)}), Thresholds())
    assert isinstance(found, InWard)
    assert (found.ward, found.method, found.confidence) == (WARDS[ABBEY], AssignmentMethod.EXACT, 1.0)
    assert not found.confirm_at_call
    assert "Abbey (2022)" in found.because


def test_row_of_another_district_is_out_of_area():
    found = locate(
        read_postcode("IG11 7NB"),
        lookup(units={"IG11 7NB": Unit(REDBRIDGE, None)}, IG11_7N={ABBEY: 9}),
        Thresholds(),
    )
    assert isinstance(found, OutOfArea)
    assert found.district == REDBRIDGE


def test_neighbours_alone_give_the_likeliest_ward_and_its_confidence():
    found = locate(
        read_postcode("IG11 7NB"),
        lookup(IG11_7N={ABBEY: 9, NORTHBURY: 2}, IG11_7={NORTHBURY: 90}),
        Thresholds(),
    )
    assert isinstance(found, InWard)
    assert (found.ward, found.method) == (WARDS[ABBEY], AssignmentMethod.NEAREST)
    assert found.confidence == pytest.approx(9 / 12)
    assert found.confirm_at_call


def test_sector_answers_where_its_letter_is_unknown():
    found = locate(
        read_postcode("IG11 7NB"), lookup(coarse=True, IG11_7={NORTHBURY: 90, ABBEY: 1}), Thresholds(0.95)
    )
    assert isinstance(found, InWard)
    assert (found.ward, found.method) == (WARDS[NORTHBURY], AssignmentMethod.COARSE)
    assert not found.confirm_at_call


def test_one_neighbour_is_not_enough_to_be_certain():
    found = locate(read_postcode("IG11 7NB"), lookup(IG11_7N={ABBEY: 1}), Thresholds())
    assert isinstance(found, InWard)
    assert found.confirm_at_call


def test_sector_wholly_outside_is_out_of_area():
    found = locate(read_postcode("IG1 1AZ"), lookup(IG1_1={REDBRIDGE: 219}), Thresholds())
    assert isinstance(found, OutOfArea)
    assert found.district == REDBRIDGE


def test_sector_in_two_other_districts_names_neither():
    found = locate(read_postcode("RM6 9AZ"), lookup(RM6_9={REDBRIDGE: 5, "E09000016": 4}), Thresholds())
    assert isinstance(found, OutOfArea)
    assert found.district is None


def test_person_decides_about_a_letter_that_lies_nearly_all_outside():
    found = locate(
        read_postcode("RM6 5ZZ"),
        lookup(RM6_5={REDBRIDGE: 50, ABBEY: 50}, RM6_5Z={REDBRIDGE: 9}),
        Thresholds(),
    )
    assert found == Unplaceable(TriageReason.UNKNOWN_POSTCODE, (ABBEY,))


def test_letter_half_outside_gives_the_likeliest_ward_with_a_call():
    found = locate(
        read_postcode("RM6 5ZZ"),
        lookup(RM6_5={ABBEY: 9, REDBRIDGE: 9}, RM6_5Z={REDBRIDGE: 5, ABBEY: 4}),
        Thresholds(),
    )
    assert isinstance(found, InWard)
    assert found.ward == WARDS[ABBEY]
    assert found.confirm_at_call


def test_person_decides_about_a_postcode_that_exists_nowhere():
    assert locate(read_postcode("ZZ99 9ZZ"), lookup(), Thresholds()) == Unplaceable(
        TriageReason.UNKNOWN_POSTCODE
    )


@pytest.mark.parametrize("text", [None, "", "  "])
def test_person_decides_without_a_postcode(text):
    assert locate(read_postcode(text), lookup(), Thresholds()) == Unplaceable(TriageReason.NO_POSTCODE)


def test_person_decides_among_the_wards_of_a_partial_postcode():
    found = locate(read_postcode("ig11"), lookup(IG11={GASCOIGNE: 2, ABBEY: 5, REDBRIDGE: 9}), Thresholds())
    assert found == Unplaceable(TriageReason.INVALID_POSTCODE, (ABBEY, GASCOIGNE))


def test_explanation_does_not_repeat_the_postcode():
    known = lookup(IG11_7N={ABBEY: 9, NORTHBURY: 2})
    found = locate(read_postcode("IG11 7NB"), known, Thresholds())
    assert isinstance(found, InWard)
    assert "IG11" not in found.because


def test_lookup_keys_are_exact_postcodes_and_prefixes():
    units, prefixes = lookup_keys(map(read_postcode, ["ig117nb", "rm8", None, "park"]))
    assert units == {"IG11 7NB"}
    assert prefixes == {"IG11 7N", "IG11 7", "IG11", "RM8"}


def test_tally_keeps_letters_only_where_they_help():
    def unit(text: str, ward: str | None) -> tuple[Postcode, Unit]:
        outcode, inward = text.split()
        return Postcode(outcode, inward), Unit(BOROUGH if ward else REDBRIDGE, ward)

    shares = tally(
        [
            unit("IG11 7NB", ABBEY),
            unit("IG11 7QA", NORTHBURY),
            unit("IG11 8AA", ABBEY),
            unit("IG1 1AA", None),
        ]
    )
    assert set(shares) == {"IG1 1", "IG11", "IG11 7", "IG11 7N", "IG11 7Q", "IG11 8"}
    assert shares["IG11 7"] == {ABBEY: 1, NORTHBURY: 1}
    assert shares["IG1 1"] == {REDBRIDGE: 1}


def test_borough_has_17_wards_of_2002_and_19_of_2022():
    assert sum(w.vintage == 2002 for w in WARDS.values()) == 17
    assert sum(w.vintage == 2022 for w in WARDS.values()) == 19
    assert (WARD_NAMES["E05000026"], WARD_NAMES["E05000042"]) == ("Abbey", "Whalebone")
    assert (WARD_NAMES["E05014059"], WARD_NAMES["E05014066"], WARD_NAMES["E05014071"]) == (
        "Eastbrook & Rush Green",
        "Northbury",
        "Whalebone",
    )
    assert vintage_of("E05011246") is None
