"""From a postcode to its ward, with what is known of it as plain values."""

from __future__ import annotations

import pytest

from bdcan_contracts.models import AssignmentMethod, TriageReason
from bdcan_contracts.typed import Postcode, read_postcode
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


def test_given_the_exact_row_when_located_then_its_ward_is_certain():
    found = locate(read_postcode("ig117nb"), lookup(units={"IG11 7NB": Unit(BOROUGH, ABBEY)}), Thresholds())
    assert isinstance(found, InWard)
    assert (found.ward, found.method, found.confidence) == (WARDS[ABBEY], AssignmentMethod.EXACT, 1.0)
    assert not found.confirm_at_call
    assert "Abbey (2022)" in found.because


def test_given_a_row_of_another_district_when_located_then_out_of_area():
    found = locate(
        read_postcode("IG11 7NB"),
        lookup(units={"IG11 7NB": Unit(REDBRIDGE, None)}, IG11_7N={ABBEY: 9}),
        Thresholds(),
    )
    assert isinstance(found, OutOfArea)
    assert found.district == REDBRIDGE


def test_given_neighbours_alone_when_located_then_the_likeliest_ward_with_its_confidence():
    found = locate(
        read_postcode("IG11 7NB"),
        lookup(IG11_7N={ABBEY: 9, NORTHBURY: 2}, IG11_7={NORTHBURY: 90}),
        Thresholds(),
    )
    assert isinstance(found, InWard)
    assert (found.ward, found.method) == (WARDS[ABBEY], AssignmentMethod.NEAREST)
    assert found.confidence == pytest.approx(9 / 12)
    assert found.confirm_at_call


def test_given_no_letter_when_located_then_the_sector_answers():
    found = locate(
        read_postcode("IG11 7NB"), lookup(coarse=True, IG11_7={NORTHBURY: 90, ABBEY: 1}), Thresholds(0.95)
    )
    assert isinstance(found, InWard)
    assert (found.ward, found.method) == (WARDS[NORTHBURY], AssignmentMethod.COARSE)
    assert not found.confirm_at_call


def test_given_one_neighbour_when_located_then_one_is_not_enough_to_be_certain():
    found = locate(read_postcode("IG11 7NB"), lookup(IG11_7N={ABBEY: 1}), Thresholds())
    assert isinstance(found, InWard)
    assert found.confirm_at_call


def test_given_a_sector_wholly_outside_when_located_then_out_of_area():
    found = locate(read_postcode("IG1 1AZ"), lookup(IG1_1={REDBRIDGE: 219}), Thresholds())
    assert isinstance(found, OutOfArea)
    assert found.district == REDBRIDGE


def test_given_a_sector_wholly_in_two_other_districts_when_located_then_none_of_them_is_named():
    found = locate(read_postcode("RM6 9AZ"), lookup(RM6_9={REDBRIDGE: 5, "E09000016": 4}), Thresholds())
    assert isinstance(found, OutOfArea)
    assert found.district is None


def test_given_a_letter_nearly_all_outside_when_located_then_a_person_decides_with_the_sectors_wards():
    found = locate(
        read_postcode("RM6 5ZZ"),
        lookup(RM6_5={REDBRIDGE: 50, ABBEY: 50}, RM6_5Z={REDBRIDGE: 9}),
        Thresholds(),
    )
    assert found == Unplaceable(TriageReason.UNKNOWN_POSTCODE, (ABBEY,))


def test_given_a_letter_half_outside_when_located_then_the_likeliest_ward_with_a_call():
    found = locate(
        read_postcode("RM6 5ZZ"),
        lookup(RM6_5={ABBEY: 9, REDBRIDGE: 9}, RM6_5Z={REDBRIDGE: 5, ABBEY: 4}),
        Thresholds(),
    )
    assert isinstance(found, InWard)
    assert found.ward == WARDS[ABBEY]
    assert found.confirm_at_call


def test_given_a_postcode_that_exists_nowhere_when_located_then_a_person_decides():
    assert locate(read_postcode("ZZ99 9ZZ"), lookup(), Thresholds()) == Unplaceable(
        TriageReason.UNKNOWN_POSTCODE
    )


@pytest.mark.parametrize("text", [None, "", "  "])
def test_given_no_postcode_when_located_then_a_person_decides(text):
    assert locate(read_postcode(text), lookup(), Thresholds()) == Unplaceable(TriageReason.NO_POSTCODE)


def test_given_a_beginning_when_located_then_a_person_decides_among_its_wards():
    found = locate(read_postcode("ig11"), lookup(IG11={GASCOIGNE: 2, ABBEY: 5, REDBRIDGE: 9}), Thresholds())
    assert found == Unplaceable(TriageReason.INVALID_POSTCODE, (ABBEY, GASCOIGNE))


def test_given_any_answer_when_explained_then_the_postcode_is_not_repeated():
    known = lookup(IG11_7N={ABBEY: 9, NORTHBURY: 2})
    found = locate(read_postcode("IG11 7NB"), known, Thresholds())
    assert isinstance(found, InWard)
    assert "IG11" not in found.because


def test_given_texts_when_keys_are_made_then_exact_ones_and_prefixes():
    units, prefixes = lookup_keys(map(read_postcode, ["ig117nb", "rm8", None, "park"]))
    assert units == {"IG11 7NB"}
    assert prefixes == {"IG11 7N", "IG11 7", "IG11", "RM8"}


def test_given_rows_when_tallied_then_letters_only_where_they_help():
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


def test_given_the_wards_when_counted_then_17_of_2002_and_19_of_2022_in_the_order_of_their_codes():
    assert sum(w.vintage == 2002 for w in WARDS.values()) == 17
    assert sum(w.vintage == 2022 for w in WARDS.values()) == 19
    assert (WARD_NAMES["E05000026"], WARD_NAMES["E05000042"]) == ("Abbey", "Whalebone")
    assert (WARD_NAMES["E05014059"], WARD_NAMES["E05014066"], WARD_NAMES["E05014071"]) == (
        "Eastbrook & Rush Green",
        "Northbury",
        "Whalebone",
    )
    assert vintage_of("E05011246") is None
