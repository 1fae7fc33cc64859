"""The borough: the same people for the same seed, in the published proportions."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bdcan_contracts.models import Lane
from bdcan_contracts.vocabulary import NEEDS, Flag
from bdcan_simulator.borough import SYSTEMS, Borough, Door, Reach
from bdcan_simulator.postcodes import GazetteerError, MadeUpPostcodes, read_code_point

MANY = 6000


@pytest.fixture(scope="module")
def residents():
    return list(Borough(1, MadeUpPostcodes()).residents(MANY))


def share(count: int) -> float:
    return count / MANY


def test_same_seed_makes_the_same_people():
    first = list(Borough(7, MadeUpPostcodes()).residents(200))
    again = list(Borough(7, MadeUpPostcodes()).residents(200))
    other = list(Borough(8, MadeUpPostcodes()).residents(200))
    assert first == again
    assert first != other


def test_other_hash_salts_make_the_same_people():
    code = (
        "from bdcan_simulator.borough import Borough\n"
        "from bdcan_simulator.postcodes import MadeUpPostcodes\n"
        "print([(r.name, r.needs, r.flags, r.answers.changed, r.answers.found) for r in Borough(3, MadeUpPostcodes()).residents(80)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(said) == 1


def test_resident_made_alone_equals_the_one_in_the_list(residents):
    assert Borough(1, MadeUpPostcodes()).resident(4321) == residents[4321]


def test_about_one_in_eight_cannot_be_reached(residents):
    assert 0.10 < share(sum(not r.reachable for r in residents)) < 0.14


def test_about_three_in_ten_need_something_more(residents):
    asked = [r for r in residents if r.needs]
    assert 0.25 < sum(bool(r.answers.found) for r in asked) / len(asked) < 0.33
    assert all(r.answers.found for r in residents if not r.needs)


def test_food_and_community_needs_lead_and_safeguarding_is_rare(residents):
    lanes = Counter(NEEDS[code].lane for r in residents for code in r.needs)
    total = sum(lanes.values())
    assert 0.38 < lanes[Lane.FOOD] / total < 0.55
    assert 0.30 < lanes[Lane.COMMUNITY] / total < 0.50
    assert 0.07 < lanes[Lane.COMPLEX] / total < 0.20
    assert 0.003 < lanes[Lane.SAFEGUARDING] / total < 0.03


def test_every_way_in_is_used(residents):
    doors = Counter(r.system.door for r in residents)
    assert set(doors) == set(Door)
    assert min(doors.values()) > 0.2 * MANY
    assert abs(sum(SYSTEMS.values()) - 1) < 1e-9


def test_homes_are_inside_outside_missing_and_unusable(residents):
    missing = sum(r.postcode is None for r in residents)
    outside = sum(not r.lives_here for r in residents)
    assert 0.02 < share(missing) < 0.06
    assert 0.04 < share(outside) < 0.10


def test_household_has_an_adult_and_babies_only_with_baby_supplies(residents):
    homes = [r.household for r in residents if r.household]
    assert all(home.adults >= 1 and home.children >= 0 for home in homes)
    assert max(home.adults + home.children + home.infants for home in homes) <= 10
    mean = sum(home.adults + home.children + home.infants for home in homes) / len(homes)
    assert 2.0 < mean < 3.0


def test_resident_without_a_telephone_cannot_be_reached(residents):
    without = [r for r in residents if r.phone is None]
    assert without
    assert all(r.answers.reach is Reach.WRONG_NUMBER and Flag.NO_PHONE in r.flags for r in without)


def test_contact_details_belong_to_nobody(residents):
    assert all("7700900" in r.phone.replace(" ", "") for r in residents if r.phone)
    assert all(r.email.endswith("@example.org") for r in residents if r.email)
    assert all(r.nhs_number.startswith("999") for r in residents if r.nhs_number)


def test_nhs_numbers_have_the_right_check_digit(residents):
    for number in (r.nhs_number.replace(" ", "") for r in residents if r.nhs_number):
        digits = [int(d) for d in number]
        check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
        assert len(digits) == 10
        assert digits[9] == check % 11


def test_gazetteer_gives_real_postcodes(tmp_path: Path):
    # given the two files of the area, and one of another that must not be read
    row = '"{}",10,1,1,"E92000001","","","","{}","E05000001"\n'
    (tmp_path / "ig.csv").write_text(row.format("IG11 7AA", "E09000002") + row.format("IG1 1AA", "E09000026"))
    (tmp_path / "ab.csv").write_text(row.format("AB1 1AA", "S12000033"))
    # when
    source = read_code_point(tmp_path)
    # then
    assert source.borough == ("IG11 7AA",)
    assert source.neighbours == ("IG1 1AA",)


def test_directory_without_a_gazetteer_is_reported(tmp_path: Path):
    with pytest.raises(GazetteerError, match="Code-Point"):
        read_code_point(tmp_path)
