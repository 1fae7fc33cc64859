"""Importing a postcode table, and how right its answers are, on the real one where it is at hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest

from bdcan_contracts.models import AssignmentMethod, ReferralAssigned
from bdcan_contracts.typed import read_postcode
from bdcan_routing.commands import import_gazetteer, previous_gazetteer
from bdcan_routing.domain.gazetteer import InWard, Lookup, OutOfArea, Thresholds, Unit, locate
from bdcan_routing.domain.neighbours import Guess, Known, guesses, likeliest
from bdcan_routing.domain.wards import BOROUGH, WARDS
from bdcan_routing.gazetteer import coarse
from bdcan_routing.gazetteer.codepoint import GazetteerError, csv_files, rows, survey

ROW = '"{postcode}",10,544000,184000,"E92000001","","","","{district}","{ward}"\n'
CODE_POINT = Path(__file__).parents[5] / "shared" / "data" / "codepoint-open-2025.4"
PACKAGE = Path(coarse.__file__).parent


def row(postcode: str = "IG11 7NB", ward: str = "E05014053", district: str = BOROUGH) -> str:
    return ROW.format(postcode=postcode, district=district, ward=ward)


async def load(routing, folder) -> int:
    """Import a table that is smaller than a real one."""
    return await import_gazetteer(routing.transactions, [str(folder), "--even-if-smaller"])


def release(folder: Path, text: str, name: str = "ig.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


async def test_imported_release_answers_at_once(routing, referral, tmp_path):
    folder = release(
        tmp_path / "codepo_gb" / "Data" / "CSV", row() + row("IG1 1AR", "E05011246", "E09000026")
    )

    assert await load(routing, folder.parents[1]) == 0
    await routing.deliver(referral("IG11 7NB"))

    [event] = await routing.emitted(ReferralAssigned)
    assert event.data.method is AssignmentMethod.EXACT
    assert "codepo_gb" in event.data.explanation
    shown = (await routing.http.get("/v1/gazetteer")).json()
    assert shown | {"imported_at": None} == {
        "release": "codepo_gb",
        "kind": "code-point-open",
        "coarse": False,
        "vintage": 2022,
        "rows": 2,
        "rows_in_borough": 1,
        "rows_without_place": 0,
        "wards": [{"gss": "E05014053", "name": "Abbey (2022)", "rows": 1}],
        "imported_at": None,
        "previous": coarse.NAME,
    }


async def test_import_of_the_release_in_use_changes_nothing(routing, tmp_path, capsys):
    folder = release(tmp_path / "one", row())
    await load(routing, folder)

    assert await load(routing, folder) == 0
    assert "in use already" in capsys.readouterr().out
    assert len(await routing.fetch("SELECT FROM gazetteer_release")) == 2


async def test_active_release_and_the_one_before_keep_their_rows(routing, tmp_path):
    for name, postcode in (("one", "IG11 7NA"), ("two", "IG11 7NB"), ("three", "IG11 7ND")):
        await load(routing, release(tmp_path / name, row(postcode)))

    kept = await routing.fetch("SELECT name, active FROM gazetteer_release ORDER BY release_id")
    assert [(r["name"], r["active"]) for r in kept] == [("two", False), ("three", True)]


async def test_wrong_table_is_refused_with_each_fault(routing, tmp_path, capsys):
    folder = release(
        tmp_path / "wrong",
        "Postcode,Positional_quality_indicator,Eastings\n"
        + row()
        + row("nowhere")
        + row("IG11 7NA", "E05099999")
        + row()
        + row("IG11 7ND", district="London").replace(",10,", ",11,"),
    )

    assert await load(routing, folder) == 1

    said = capsys.readouterr().err.splitlines()
    assert said == [
        "refused: This is not a Code-Point Open table.",
        "  ig.csv:1: 3 columns instead of 10",
        "  ig.csv:3: column 1, 'nowhere', is no postcode",
        "  ig.csv:4: column 10, 'E05099999', is no ward of the borough that is known here",
        "  ig.csv:5: IG11 7NB is there twice",
        "  ig.csv:6: column 2, '11', is no positional quality",
    ]
    assert (await routing.http.get("/v1/gazetteer")).json()["coarse"] is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "no CSV files"),
        (row("IG1 1AR", "E05011246", "E09000026"), "no postcode of the borough"),
        (row() + row("IG11 7NA", "E05000026"), r"mixes ward boundaries of \[2002, 2022\]"),
        ("\x00\xff" * 50, "not a Code-Point Open table"),
        (row("nowhere") * 100, "not a Code-Point Open table"),
    ],
)
def test_survey_says_why_it_refuses_a_table(tmp_path, text, why):
    folder = tmp_path if text is None else release(tmp_path / "x", text)
    with pytest.raises(GazetteerError, match=why) as caught:
        survey(folder)
    assert len(caught.value.faults) <= 20


def test_table_of_the_old_wards_has_their_vintage(tmp_path):
    assert survey(release(tmp_path / "old", row(ward="E05000026"))).vintage == 2002


def test_postcode_without_a_position_is_accepted(tmp_path):
    unplaced = '"IG11 7NZ",90,0,0,"","","","","",""\n'
    found = survey(release(tmp_path / "x", row() + unplaced))
    assert (found.unit_count, found.borough_count) == (2, 1)
    assert sum(r.unit is None for r in rows(tmp_path / "x")) == 1


BARE = "{postcode},{quality},{east},{north},E92000001,,,,{district},{ward}\n"


def bare(postcode="IG11 7NB", quality="10", east="544000", north="184000", district=BOROUGH, ward="") -> str:
    return BARE.format(
        postcode=postcode, quality=quality, east=east, north=north, district=district, ward=ward
    )


async def test_rows_with_a_position_and_no_district_are_counted_and_reported(
    routing, referral, tmp_path, capsys
):
    lost = "".join(bare(f"RM8 1A{letter}", district="") for letter in "ABDEF")
    folder = release(tmp_path / "2018.3", row(ward="E05000026") + lost)
    assert await load(routing, folder) == 0
    assert "5 postcodes have no district or ward" in capsys.readouterr().out
    shown = (await routing.http.get("/v1/gazetteer")).json()
    assert (shown["rows"], shown["rows_in_borough"], shown["rows_without_place"]) == (6, 1, 5)


@pytest.mark.parametrize(
    ("text", "count", "borough", "unplaced"),
    [
        ("Postcode,Positional_quality_indicator,Eastings,Northings,CY,RH,LH,CC,DC,WC\n" + row(), 1, 1, 0),
        ("PC,PQ,EA,NO,CY,RH,LH,CC,DC,WC\r\n" + row().replace("\n", "\r\n"), 1, 1, 0),
        ("\ufeff" + row(), 1, 1, 0),
        ("\ufeff" + '"PC","PQ","EA","NO","CY","RH","LH","CC","DC","WC"\n' + row(), 1, 1, 0),
        (row() + "\n\n" + bare("IG11 7NA", ward="E05014053") + "\n", 2, 2, 0),
        (row().replace("\n", ",,\n"), 1, 1, 0),
        (row().replace(",10,", ","), 1, 1, 0),
        (row().replace(",10,", ',"",'), 1, 1, 0),
        (row() + bare("IG11 7NA"), 2, 1, 1),
        (row() + bare("IG11 7NA", district="", ward="E05014053"), 2, 2, 0),
        (row() + bare("IG11 7NA", "90", "", "", district="", ward=""), 2, 1, 1),
        (row() + bare("IG11 7NA", "90", "", ""), 2, 1, 1),
        (row().replace("IG11 7NB", "IG117NB "), 1, 1, 0),
    ],
)
def test_other_releases_are_read_too(tmp_path, text, count, borough, unplaced):
    folder = release(tmp_path / "x", text)
    found = survey(folder)
    assert (found.unit_count, found.borough_count, found.unplaced_count) == (count, borough, unplaced)
    assert len(list(rows(folder))) == count


def test_row_without_a_ward_says_nothing_of_its_ward(tmp_path):
    folder = release(tmp_path / "x", row() + bare("IG11 7NA"))
    assert [r.unit for r in rows(folder)] == [Unit(BOROUGH, "E05014053"), Unit(BOROUGH, None)]
    assert survey(folder).shares["IG11 7"] == {"E05014053": 1}


@pytest.mark.parametrize("place", ["file", "folder"])
async def test_packed_release_is_imported_as_it_is(routing, tmp_path, place):
    packed = tmp_path / "codepo_gb.zip"
    with ZipFile(packed, "w") as archive:
        archive.writestr("Doc/Code-Point_Open_Column_Headers.csv", "PC,PQ,EA,NO,CY,RH,LH,CC,DC,WC\n")
        archive.writestr("Data/CSV/ig.csv", row())
        archive.writestr("Data/CSV/RM.CSV", row("RM8 1AA"))
    given = packed if place == "file" else tmp_path
    assert await load(routing, given) == 0
    assert (await routing.http.get("/v1/gazetteer")).json()["rows"] == 2


async def test_release_below_a_folder_of_its_own_is_found(routing, tmp_path):
    release(tmp_path / "codepo_gb" / "Data" / "CSV", row())
    assert await load(routing, tmp_path) == 0


async def test_broken_download_is_refused_in_words(routing, tmp_path, capsys):
    packed = tmp_path / "codepo_gb.zip"
    packed.write_bytes(b"PK half of it")
    assert await load(routing, packed) == 1
    assert capsys.readouterr().err == "refused: codepo_gb.zip cannot be unpacked. Download it again.\n"


async def test_held_referral_is_assigned_when_a_new_release_knows_its_postcode(routing, referral, tmp_path):
    await routing.deliver(referral("RM99 9AA"))
    await routing.emitted()

    await load(routing, release(tmp_path / "new", row("RM99 9AA")))
    assert await routing.run("place-held") == 1

    [event] = await routing.emitted(ReferralAssigned)
    assert event.data.version == 2
    assert await routing.deadlines() == {}


def test_shipped_coarse_table_is_built_from_the_real_one(code_point):
    script = Path(__file__).parents[2] / "tools" / "build_coarse_gazetteer.py"
    built = subprocess.run([sys.executable, script, code_point], capture_output=True, check=True).stdout
    assert built == (PACKAGE / "coarse.csv").read_bytes(), "run tools/build_coarse_gazetteer.py again"


def test_sector_centres_of_volunteer_match_are_built_from_the_real_table(code_point):
    script = Path(__file__).parents[2] / "tools" / "build_sector_centres.py"
    built = subprocess.run([sys.executable, script, code_point], capture_output=True, check=True).stdout
    shipped = Path(__file__).parents[3] / "volunteer-match/src/bdcan_volunteer_match/sectors/centres.csv"
    assert built == shipped.read_bytes(), "run tools/build_sector_centres.py again"


def test_coarse_table_holds_no_postcode_and_names_its_sources():
    assert all(
        len(prefix.replace(" ", "")) <= 6 and prefix.count(" ") <= 1 for prefix in coarse.load().shares
    )
    assert all(len(prefix.partition(" ")[2]) <= 2 for prefix in coarse.load().shares)
    attribution = " ".join((PACKAGE / "ATTRIBUTION.md").read_text().split())
    for owner in ("OS data ©", "Royal Mail data ©", "National Statistics data ©"):
        assert owner in attribution


def test_coarse_table_is_as_right_as_measured(code_point, capsys):
    """Sector and letter put 86 % of the borough's postcodes in the right ward (domain.md); outcodes alone put 33 %."""
    lookup = Lookup("coarse", True, {}, coarse.load().shares)
    outcome: Counter[str] = Counter()
    sure_and_wrong = 0
    for known in rows(code_point):
        assert known.unit is not None
        found = locate(known.postcode, lookup, Thresholds())
        if known.unit.district != BOROUGH:
            outcome["outside, " + _kind(found)] += 1
            continue
        right = isinstance(found, InWard) and found.ward.gss == known.unit.ward
        outcome["inside, " + ("right" if right else _kind(found))] += 1
        sure_and_wrong += isinstance(found, InWard) and not right and not found.confirm_at_call
    with capsys.disabled():
        sys.stdout.write(f"\ncoarse on the real table: {sorted(outcome.items())}, {sure_and_wrong=}\n")

    inside = sum(n for name, n in outcome.items() if name.startswith("inside"))
    assert inside == 3060
    assert outcome["inside, right"] / inside > 0.85
    assert outcome["inside, out of area"] == 0, "nobody in the borough is turned away on a guess"
    assert sure_and_wrong / inside < 0.02
    assert outcome["outside, out of area"] / (16081 - inside) > 0.9


def test_real_table_places_each_of_its_postcodes(code_point):
    found = survey(code_point)
    units = {str(r.postcode): r.unit for r in rows(code_point) if r.unit}
    lookup = Lookup(found.name, False, units, found.shares)
    assert (found.unit_count, found.borough_count, found.vintage) == (16081, 3060, 2022)
    for text, unit in units.items():
        answer = locate(read_postcode(text), lookup, Thresholds())
        match unit:
            case Unit(district, None):
                assert isinstance(answer, OutOfArea)
                assert answer.district == district
            case Unit(_, ward):
                assert isinstance(answer, InWard)
                assert answer.ward.gss == ward
    assert len(csv_files(code_point)) == 2


async def test_cut_off_table_is_refused_and_the_one_in_use_stays(routing, code_point, tmp_path, capsys):
    lines = (code_point / "rm.csv").read_text().splitlines(keepends=True)
    folder = release(tmp_path / "half", "".join(lines[: len(lines) // 2]))
    for before in ("shipped", "imported"):
        assert await import_gazetteer(routing.transactions, [str(folder)]) == 1
        said = capsys.readouterr().err
        assert "and the table before it 3060: it looks cut off. Download it again." in said, before
        if before == "shipped":
            assert await import_gazetteer(routing.transactions, [str(code_point)]) == 0
    assert (await routing.http.get("/v1/gazetteer")).json()["rows_in_borough"] == 3060


async def test_import_counts_each_ward(routing, code_point, capsys):
    assert await import_gazetteer(routing.transactions, [str(code_point)]) == 0
    said = capsys.readouterr().out
    shown = (await routing.http.get("/v1/gazetteer")).json()["wards"]
    assert len(shown) == 19
    assert sum(ward["rows"] for ward in shown) == 3060
    assert all(f"{ward['rows']:>5}  {ward['name']}\n" in said for ward in shown)


async def test_operator_goes_back_to_the_table_before_and_forward_again(routing, tmp_path, capsys):
    for name, postcode in (("one", "IG11 7NA"), ("two", "IG11 7NB")):
        await load(routing, release(tmp_path / name, row(postcode)))
    for used, other in (("one", "two"), ("two", "one")):
        assert await previous_gazetteer(routing.transactions, []) == 0
        assert f"{used} is in use from now on, and no longer {other}." in capsys.readouterr().out
        shown = (await routing.http.get("/v1/gazetteer")).json()
        assert (shown["release"], shown["previous"]) == (used, other)


async def test_there_is_nothing_before_the_shipped_table(routing, capsys):
    assert await previous_gazetteer(routing.transactions, []) == 1
    assert "no other postcode table is loaded" in capsys.readouterr().err


async def test_table_loaded_twice_at_once_is_loaded_once(routing, tmp_path, capsys):
    folder = release(tmp_path / "one", row())
    assert await asyncio.gather(load(routing, folder), load(routing, folder)) == [0, 0]
    assert capsys.readouterr().out.count("in use already") == 1
    assert len(await routing.fetch("SELECT FROM gazetteer_release")) == 2


async def test_missing_postcode_is_placed_by_its_neighbours(routing, referral, tmp_path):
    folder = release(
        tmp_path / "one",
        "".join(row(f"IG11 7N{letter}") for letter in "ABEFGHJL")
        + bare("IG11 7XA", east="544001", district="")
        + "".join(bare(f"IG11 7Y{letter}", east="549000", ward="E05014066") for letter in "ABDEFGH"),
    )
    assert await load(routing, folder) == 0
    for postcode, where in (
        ("IG11 7ND", "Of the postcodes next to it in the alphabet, 8 of 10 lie in Abbey (2022)."),
        (
            "IG11 7XA",
            "Of its nearest known postcodes, 5 of 5 lie in Abbey (2022).",
        ),  # by the alphabet, Northbury
    ):
        await routing.deliver(referral(postcode))
        [event] = await routing.emitted(ReferralAssigned)
        assert (event.data.ward.gss, event.data.method) == ("E05014053", AssignmentMethod.NEAREST)
        assert where in event.data.explanation


@pytest.fixture(scope="module")
def known() -> list[Known]:
    if not CODE_POINT.is_dir():
        pytest.skip("the real postcode table is not beside the repository")
    return [
        Known(one.postcode, (one.easting, one.northing), one.unit.ward or one.unit.district)
        for one in rows(CODE_POINT)
        if one.unit and one.easting and one.northing
    ]


def held_out(known: list[Known], *, position: bool) -> list[tuple[Known, Guess]]:
    """Each postcode guessed once from nine tenths of the others, as if the table did not place it."""
    found = []
    for fold in range(10):
        held = {one.postcode: one for place, one in enumerate(known) if place * 7919 % 10 == fold}
        rest = [one for one in known if one.postcode not in held]
        rest += [Known(one.postcode, one.at, None) for one in held.values()] if position else []
        found += [(held[postcode], guess) for postcode, guess in guesses(rest) if postcode in held]
    return found


def test_confidence_is_calibrated_on_postcodes_held_out(known, capsys):
    """Of the guesses called 90 %, 85 to 95 % are right, and so for each tenth that has enough of them to tell."""
    tenths: dict[int, list[tuple[float, bool]]] = {}
    for position in (False, True):
        for one, guess in held_out(known, position=position):
            if guess.ward:
                tenths.setdefault(round(guess.confidence * 10), []).append(
                    (guess.confidence, guess.ward == one.place)
                )
    with capsys.disabled():
        sys.stdout.write("\nconfidence  guesses  right\n")
        for tenth, tried in sorted(tenths.items()):
            right = sum(right for _, right in tried) / len(tried)
            sys.stdout.write(f"{tenth / 10:>10.0%}  {len(tried):>7}  {right:>5.1%}\n")
    assert len(tenths[9]) > 100
    for tried in tenths.values():
        if len(tried) >= 100:
            called = sum(confidence for confidence, _ in tried) / len(tried)
            assert abs(called - sum(right for _, right in tried) / len(tried)) <= 0.05


@pytest.mark.parametrize(("position", "least"), [(True, 0.97), (False, 0.86)])
def test_left_out_postcode_is_put_in_the_right_ward(known, position, least, capsys):
    """One is left out at a time. Without a position, only the alphabet is left to go by, and that is how far it goes."""
    inside = [one for one in known if one.place in WARDS]
    by_sector: dict[str, list[Known]] = {}
    for one in known:
        by_sector.setdefault(one.postcode.sector, []).append(one)
    right = 0
    for one in inside:
        others = [other for other in by_sector[one.postcode.sector] if other is not one]
        found = likeliest(Known(one.postcode, one.at if position else None, None), others)
        right += found is not None and found.ward == one.place
    with capsys.disabled():
        sys.stdout.write(f"\nleft out, {position=}: {right} of {len(inside)} in the right ward\n")
    assert right / len(inside) >= least


def _kind(found: object) -> str:
    return {InWard: "another ward", OutOfArea: "out of area"}.get(type(found), "a person decides")
