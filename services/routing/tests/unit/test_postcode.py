"""Postcodes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdcan_routing.domain.postcode import Postcode, known_part, normalise

UNIT = "ABDEFGHJLNPQRSTUWXYZ"
well_formed = st.builds(
    Postcode,
    st.builds(
        lambda area, district: area + district,
        st.sampled_from(["IG", "RM", "E", "W", "SW", "EC"]),
        st.sampled_from(["1", "8", "9", "10", "11", "18", "1A", "4W"]),
    ),
    st.builds(lambda n, a, b: f"{n}{a}{b}", st.integers(0, 9), st.sampled_from(UNIT), st.sampled_from(UNIT)),
)
notation = st.lists(st.sampled_from(["", " ", "  ", "-", ".", "\t", "\u00a0"]), min_size=8, max_size=8)


@given(well_formed, notation, st.booleans())
def test_given_any_notation_when_normalised_then_it_is_the_postcode(postcode, noise, lower):
    text = "".join(a + b for a, b in zip(noise, str(postcode), strict=False))
    assert normalise(text.lower() if lower else text) == postcode


@given(st.text(max_size=20))
def test_given_any_text_when_normalised_then_the_answer_is_none_or_stays_what_it_is(text):
    found = normalise(text)
    assert found is None or normalise(str(found)) == found


@given(st.text(max_size=20))
def test_given_any_text_when_its_known_part_is_taken_then_nothing_is_raised(text):
    assert known_part(text) is None or known_part(known_part(text)) == known_part(text)


@given(well_formed)
def test_given_a_postcode_when_asked_for_its_prefixes_then_the_narrowest_comes_first(postcode):
    narrow, sector, outcode = postcode.prefixes
    assert str(postcode).startswith(narrow)
    assert narrow[:-1] == sector
    assert sector[:-2] == outcode


@pytest.mark.parametrize(
    ("text", "postcode"),
    [
        ("rm8 oab", "RM8 0AB"),
        ("RM1O 7AB", "RM10 7AB"),
        ("ig1l7nb", "IG11 7NB"),
        ("IG11-7NB", "IG11 7NB"),
        ("ＩＧ１１　７ＮＢ", "IG11 7NB"),
    ],
)
def test_given_a_common_slip_when_normalised_then_it_is_repaired(text, postcode):
    assert str(normalise(text)) == postcode


@pytest.mark.parametrize(
    "text", [None, "", "   ", "RM8", "by the park", "RM8 1CC", "12345", "IG11 7NBX", "\x00"]
)
def test_given_what_is_no_postcode_when_normalised_then_none(text):
    assert normalise(text) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [("rm8", "RM8"), (" ig11  7 ", "IG11 7"), ("ig11 7n", "IG11 7N"), ("park", None), (None, None)],
)
def test_given_a_beginning_when_its_known_part_is_taken_then_it_is_a_prefix(text, part):
    assert known_part(text) == part
