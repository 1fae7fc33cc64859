"""CSV files: good rows go in, bad ones come back by line and column, and the same file twice is one list."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
from datetime import timedelta
from typing import Any

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.inbound.submission import Person, Submission, examine
from bdcan_intake.admission import Accepted, take_on
from bdcan_intake.books import Referrals
from bdcan_intake.csv_file import COLUMNS
from bdcan_intake.importing import Importing

URL = "/v1/referral-imports?source=shielding-list"


async def rows_of(given: Harness, done: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of an import's file of errors."""
    return list(csv.DictReader(io.StringIO((await given.http.get(done["errors_url"])).text)))


async def imports_that_are(given: Harness, state: str) -> list[dict[str, Any]]:
    """The imports in a state."""
    return (await given.http.get(f"/v1/referral-imports?state={state}")).json()["items"]


async def test_every_column_of_a_file_is_kept(given: Harness):
    cells = {
        "reference": "S-1",
        "channel": "nhs-list",
        "name": "Amina Example",
        "phone": "07700 900417",
        "email": "amina@example.org",
        "birth_date": "17/05/1948",
        "nhs_number": "999 000 0018",
        "address": "12 Example Close, Dagenham",
        "postcode": "rm108xx",
        "adults": "2",
        "children": "1",
        "infants": "0",
        "needs": "food-parcel; prescription",
        "diets": "halal nut-allergy",
        "flags": "lives-alone",
        "priority": "standard",
        "notes": "Rings twice, please",
        "consent": "yes",
        "outreach": "no",
    }
    assert set(cells) == set(COLUMNS)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    answer = await given.http.post(URL, content=written.getvalue())
    assert answer.status_code == 201, answer.text
    assert answer.json()["accepted"] == 1
    [event] = await given.emitted()
    assert (event.data.channel, event.data.outreach, event.data.priority) == (
        vocabulary.Channel.NHS_LIST,
        False,
        "standard",
    )
    assert event.data.household == m.Household(adults=2, children=1)
    assert event.data.diets == (vocabulary.Diet.HALAL, vocabulary.Diet.NUT_ALLERGY)
    [row] = await given.fetch("SELECT name, birth_date::text, postcode, notes, consent FROM resident")
    assert tuple(row) == ("Amina Example", "1948-05-17", "RM10 8XX", "Rings twice, please", True)


async def test_good_rows_go_in_and_errors_name_line_and_column(given: Harness):
    content = (
        "Reference,Name,Needs,Birth Date,Adults\r\n"
        "A-1,Amina Example,food-parcel,,\r\n"
        "A-2,Ben Example,foood,2999-01-01,two\r\n"
        "\r\n"
        "A-3,,,,\r\n"
        'A-4,"Cal\nExample",shopping,,\r\n'
        "A-5,Dee Example,shopping,,1,extra\r\n"
        "A-1,Amina Example,debt,,\r\n"
        "A-1,Amina Example,food-parcel,,\r\n"
        "=1+1,,,,\r\n"
    )
    answer = await given.http.post(URL, content=content)
    assert answer.status_code == 201
    done = answer.json()
    assert (done["accepted"], done["duplicates"], done["refused"]) == (2, 1, 5)
    errors = await given.http.get(done["errors_url"])
    assert errors.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in errors.headers["content-disposition"]
    rows = [
        (r["line"], r["reference"], r["field"], r["code"]) for r in csv.DictReader(io.StringIO(errors.text))
    ]
    assert rows == [
        ("3", "A-2", "needs", "unknown-code"),
        ("5", "A-3", "person", "nobody-named"),
        ("5", "A-3", "needs", "nothing-needed"),
        ("8", "A-5", "", "too-many-cells"),
        ("9", "A-1", "reference", "reference-reused"),
        ("11", "'=1+1", "person", "nobody-named"),
        ("11", "'=1+1", "needs", "nothing-needed"),
    ]
    assert (await given.http.get(f"/v1/referral-imports/{done['import_id']}")).json() == done


@pytest.mark.parametrize("with_reference", [True, False])
async def test_file_sent_twice_is_taken_on_once(given: Harness, with_reference: bool):
    lines = [f"{f'R-{i}' if with_reference else ''},Person {i},food-parcel" for i in range(50)]
    content = "\n".join(["reference,name,needs", *lines])
    first, second = [(await given.http.post(URL, content=content)).json() for _ in range(2)]
    assert (first["accepted"], second["accepted"], second["duplicates"]) == (50, 0, 50)
    assert "errors_url" not in second
    assert len(await given.emitted()) == 50


async def test_first_row_of_a_reference_counts(
    given: Harness,
):
    def content(people: range) -> str:
        return "\n".join(["reference,name,needs", *(f"R-{i % 60},Person {i},food-parcel" for i in people)])

    await given.http.post(URL, content=content(range(10)))
    done = (await given.http.post(URL, content=content(range(5, 100)))).json()
    assert (done["accepted"], done["duplicates"], done["refused"]) == (
        50,
        5,
        40,
    )  # 60 to 99 reuse a reference
    taken = await given.fetch(
        "SELECT reference FROM referral JOIN resident ON referral_id = id WHERE name = 'Person ' || substr(reference, 3)"
    )
    assert {r["reference"] for r in taken} == {f"R-{i}" for i in range(60)}


async def test_row_is_refused_whose_reference_another_door_takes_on_meanwhile(
    given: Harness,
):
    lines = [f"R-{i},Person {i},food-parcel" for i in range(50)]
    async with given.transactions.begin() as tx:  # not yet committed: the list cannot see it
        somebody = Submission("shielding-list", "R-7", vocabulary.Channel.GP, Person(name="Somebody Else"))
        [answer] = await take_on(Referrals(tx), [examine(somebody, tx.now.date())])
        assert isinstance(answer, Accepted)
        sending = asyncio.create_task(
            given.http.post(URL, content="\n".join(["reference,name,needs", *lines]))
        )
        await given.until_blocked()
    done = (await sending).json()
    assert (done["accepted"], done["duplicates"], done["refused"]) == (49, 0, 1)


async def test_list_goes_by_the_bulk_class_but_for_urgent_rows(given: Harness):
    await given.http.post(URL, content="name,priority\nA,\nB,urgent\n")
    rows = await given.fetch("SELECT traffic_class FROM chassis.outbox ORDER BY seq")
    assert [r["traffic_class"] for r in rows] == ["bulk", "normal"]


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", ["empty"]),
        (b"\n\n", ["empty"]),
        (b"nam,neds\nA,b\n", ["unknown-column", "unknown-column"]),
        (b"name,name\nA,b\n", ["twice"]),
        (b'"name\nA\n', ["stray-quote"]),
        (b"Total for March,Needs\n12,food\n", ["unknown-column"]),
    ],
)
async def test_file_that_cannot_be_read_is_refused_with_the_reason(
    given: Harness, content: bytes, codes: list[str]
):
    answer = await given.http.post(URL, content=content)
    assert answer.status_code == 422
    assert [e["code"] for e in answer.json()["errors"]] == codes


async def test_row_broken_at_its_end_does_not_stop_the_rows_before_it(given: Harness):
    rows = "\n".join(f"R-{i},Person {i},food-parcel" for i in range(1_500))
    answer = await given.http.post(URL, content=f'reference,name,needs\n{rows}\nR-X,"Half a')
    assert (answer.json()["accepted"], answer.json()["refused"]) == (1_500, 1)
    errors = await rows_of(given, answer.json())
    assert [(row["line"], row["code"]) for row in errors] == [("1502", "stray-quote")]


async def test_figures_and_lines_are_those_of_the_whole_file(
    given: Harness,
):
    rows = [f"R-{i},Person {i},food-parcel" for i in range(2_500)]
    rows[20], rows[1_700] = "R-20,Person 20,fud", "R-1700,Person 1700,fud"  # lines 22 and 1702
    rows[2_400] = "R-3,Somebody Else,food-parcel"
    done = (await given.http.post(URL, content="\n".join(["reference,name,needs", *rows]))).json()
    assert (done["accepted"], done["duplicates"], done["refused"]) == (2_497, 0, 3)
    errors = csv.DictReader(io.StringIO((await given.http.get(done["errors_url"])).text))
    assert [(row["line"], row["code"]) for row in errors] == [
        ("22", "unknown-code"),
        ("1702", "unknown-code"),
        ("2402", "reference-reused"),
    ]


async def test_file_with_a_header_alone_is_accepted(given: Harness):
    answer = await given.http.post(URL, content="\ufeffname,needs\n")
    assert answer.status_code == 201
    assert answer.json()["accepted"] == 0


async def test_wrong_source_is_named_and_a_missing_one_is_the_callers_first(given: Harness):
    answer = await given.http.post("/v1/referral-imports?source=No Slug", content="name\nA\n")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.source"
    answer = await given.http.post("/v1/referral-imports", content="name\nA\n")
    assert (answer.status_code, answer.json()["source"]) == (201, "test")


async def test_import_of_another_caller_is_a_404(given: Harness):
    done = (await given.http.post(URL, content="name\nA\n")).json()
    other = given.client(["referrals:read"], hubs=["heath"])
    assert (await other.get(f"/v1/referral-imports/{done['import_id']}")).status_code == 404
    assert (await other.get(f"/v1/referral-imports/{done['import_id']}/errors.csv")).status_code == 404


async def test_urgent_calls_are_served_while_12000_rows_go_in(
    given: Harness,
):
    rows = "\n".join(
        f"R-{i},Person {i},07700 900123,{i} Example Road,RM10 8XX,2,food-parcel;prescription"
        for i in range(12_000)
    )
    content = f"reference,name,phone,address,postcode,adults,needs\n{rows}\n"
    sending = asyncio.create_task(given.http.post(URL, content=content, timeout=120))
    served = 0
    while not sending.done():
        answer = await given.http.post(
            "/v1/referrals", json={"channel": "phone", "needs": ["domestic-abuse"]}
        )
        assert answer.status_code == 201
        served += not sending.done()
    assert (await sending).json()["accepted"] == 12_000
    assert served > 1


async def test_file_is_read_as_spreadsheets_write_it(given: Harness):
    header, row = "reference,name,needs", "A-1,Zoë Example,food-parcel"
    semicolons, tabs = (f"{header}\r\n{row}\r\n".replace(",", mark) for mark in ";\t")
    files = [
        f"\ufeff\ufeff{header}\r\n{row}\r\n".encode(),
        f"\u00ef\u00bb\u00bf{header}\n{row}\n".encode(),
        f"{header},,,\r\n{row},,,\r\n,,,,,\r\n".encode(),
        f"{header}\n{row},,\n".encode(),
        semicolons.encode(),
        f"sep=;\r\n{semicolons}".encode(),
        f'"sep=,"\n{header}\n{row}\n'.encode(),
        tabs.encode(),
        f"\ufeff{tabs}".encode("utf-16-le"),
        f"\ufeff{tabs}".encode("utf-16-be"),
        semicolons.encode("utf-16-le"),
        semicolons.encode("cp1252"),
        f"{header}\r{row}\r".encode("mac-roman"),
        f"Reference\u00a0,\u200bNAME, Needs\n{row}\n".encode(),
        '"reference","name","needs"\n"A-1","Zoë Example","Food Parcel"\n'.encode(),
        'reference,name,birth_date,needs\nA-1,"Zoë\nExample",,"food-parcel"\n'.encode(),
        "reference,name,needs\nA-1,Zoe\u0308 Example,food-parcel\0\n".encode(),
        'reference,name,needs\n"=""A-1""","Zoë Example",food_parcel\n'.encode(),
        "reference;name;needs\nA-1 ;Zoë  Example ;food\u00a0parcel\n\u00a0;;\n".encode(),
    ]
    for place, content in enumerate(files):
        answer = await given.http.post(URL, content=content)
        assert answer.status_code == 201, (content, answer.text)
        done = answer.json()
        assert (done["row_count"], done["accepted"] + done["duplicates"]) == (1, 1), (content, done)
        assert done["duplicates"] == (place > 0), content
    assert [row[0] for row in await given.fetch("SELECT name FROM resident")] == ["Zoë Example"]


@pytest.mark.parametrize(
    ("rows", "names", "refused"),
    [
        ('A-1,"Amina "Minnie" Example",food-parcel', ['Amina "Minnie" Example'], []),
        ('A-1,"Amina,food-parcel\nA-2,"Ben",shopping', ["Amina", "Ben"], []),
        ('A-1,"Amina,food-parcel\nA-2,Ben,shopping', ["Amina", "Ben"], []),
        ('A-1,Amina 6",food-parcel', ['Amina 6"'], []),
        ('A-1,"Zoë\nMay",food-parcel\nA-2, "Example, Ben",debt', ["Zoë May", "Example, Ben"], []),
        ('A-1,"Amina\nA-2,Ben,shopping', ["Ben"], [("2", "stray-quote")]),
        ("A-1,Amina,food-parcel,x\nA-2,Ben,debt", ["Ben"], [("2", "too-many-cells")]),
        ("Total,,\nA-2,Ben,debt\nTotal: 2,,\n,Totals,1", ["Ben"], [("2", "totals-row"), ("4", "totals-row"), ("5", "totals-row")]),
        ("A-1," + "x" * 40_000 + ",debt\nA-2,Ben,debt", ["Ben"], [("2", "cell-too-long")]),
    ],
)  # fmt: skip
async def test_one_bad_row_never_stops_the_others(
    given: Harness, rows: str, names: list[str], refused: list[tuple[str, str]]
):
    done = (await given.http.post(URL, content=f"reference,name,needs\n{rows}\n")).json()
    assert [row[0] for row in await given.fetch("SELECT name FROM resident ORDER BY name")] == sorted(names)
    assert (done["accepted"], done["refused"]) == (len(names), len(refused))
    if refused:
        assert [(row["line"], row["code"]) for row in await rows_of(given, done)] == refused


async def test_detail_that_nobody_can_read_costs_nobody_their_place(given: Harness):
    notes = "n" * 12_000
    content = (
        "reference,name,birth_date,phone,adults,priority,consent,channel,needs,notes,\n"
        f"A-1,Amina,31/02/1950,7.70090E+09,two,asap,ask her son,pigeon,domestic-abuse,{notes},by hand\n"
        "A-2,Ben,01-Mar-50,'07700900123,2,Standard,NO,GP,debt,,\n"
        "A-3,Cal,#N/A,,,,,,debt,,\n"
    )
    done = (await given.http.post(URL, content=content)).json()
    assert (done["accepted"], done["refused"], done["kept"]) == (3, 0, 2)
    rows = await given.fetch(
        "SELECT birth_date::text, phone, phone_e164, notes, unclear FROM resident ORDER BY name"
    )
    assert json.loads(rows[0]["unclear"]) == {
        "birth_date": "31/02/1950",
        "adults": "two",
        "priority": "asap",
        "consent": "ask her son",
        "channel": "pigeon",
        "notes": notes,
        "column 11": "by hand",
    }
    assert (rows[0]["notes"], rows[0]["phone"], rows[0]["phone_e164"]) == (notes[:2000], "7.70090E+09", None)
    assert tuple(rows[1])[:3] == ("1950-03-01", "07700900123", "+447700900123")
    assert json.loads(rows[2]["unclear"]) == {"birth_date": "#N/A"}
    told = await rows_of(given, done)
    assert {row["code"] for row in told} == {"kept-as-typed"}
    assert [row["field"] for row in told if row["line"] == "4"] == ["birth_date"]
    flagged = (await given.http.get("/v1/referrals")).json()["items"]
    assert [("details-unclear" in one["flags"]) for one in flagged] == [True, False, True]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04\x14\0 [Content_Types].xml xl/workbook.xml", "an Excel workbook"),
        (b"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "LibreOffice"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b'[{"name": "Amina"}]', "JSON"),
        (b"\xef\xbb\xbf<html><table>", "a web page"),
    ],
)
async def test_file_of_another_kind_is_a_415_that_says_what_to_do(given: Harness, content: bytes, what: str):
    answer = await given.http.post(URL, content=content, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415
    assert what in answer.json()["detail"]
    assert "send that file" in answer.json()["detail"]
    [listed] = (await given.http.get("/v1/referral-imports?state=unreadable")).json()["items"]
    assert (await rows_of(given, listed))[0]["code"] == "other-file"


async def test_form_with_a_file_in_it_is_a_415_that_names_data_binary(given: Harness):
    answer = await given.http.post(URL, files={"file": ("list.csv", b"name\nA\n", "text/csv")})
    assert answer.status_code == 415
    assert "--data-binary" in answer.json()["detail"]


async def test_unknown_column_is_told_by_its_place_with_the_likeliest_one(given: Harness):
    answer = await given.http.post(URL, content="reference,ethnicity,birthdat\nA,B,C\n")
    told = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert "rename or remove it" in told["column 2"]
    assert told["column 3"] == "no such column: do you mean birth_date?"


async def test_one_list_sent_three_times_at_once_in_three_orders_is_taken_on_once(given: Harness):
    rows = [f"R-{i},Person {i},food-parcel" for i in range(2_500)]
    shuffled = random.Random(13).sample(rows, len(rows))  # an order, not a secret
    answers = await asyncio.gather(
        *(
            given.http.post(URL, content="\n".join(["reference,name,needs", *order]), timeout=120)
            for order in (rows, rows[::-1], shuffled)
        )
    )
    assert [answer.status_code for answer in answers] == [201, 201, 201], [a.text for a in answers]
    done = [answer.json() for answer in answers]
    assert sum(one["accepted"] for one in done) == 2_500
    assert sum(one["duplicates"] for one in done) == 5_000
    assert {one["state"] for one in done} == {"done"}
    [row] = await given.fetch("SELECT count(*) FROM referral")
    assert row[0] == 2_500


async def test_import_is_on_record_before_its_file_has_arrived(given: Harness):
    rest = asyncio.Event()

    async def upload():
        yield b"name,needs\nAmina,food-parcel\n"
        await rest.wait()
        yield b"Ben,debt\n"

    sending = asyncio.create_task(given.http.post(URL, content=upload()))
    async with asyncio.timeout(30):
        while not (listed := await imports_that_are(given, "receiving")):
            pass
    rest.set()
    done = (await sending).json()
    assert (listed[0]["accepted"], "row_count" in listed[0]) == (0, False)
    assert (done["import_id"], done["state"], done["accepted"]) == (listed[0]["import_id"], "done", 2)


async def test_import_that_stops_moving_is_broken_off_after_an_hour(given: Harness):
    await Importing(given.transactions, new_id(), None).receive("shielding-list", "key:test")
    given.clock.advance(timedelta(minutes=59))
    assert await given.fire() == 0
    given.clock.advance(timedelta(minutes=1))
    assert await given.fire() == 1
    [listed] = (await given.http.get("/v1/referral-imports")).json()["items"]
    assert listed["state"] == "broken-off"
    assert await given.fire() == 0


async def test_imports_of_others_are_not_listed(given: Harness):
    await given.http.post(URL, content="name\nA\n")
    other = given.client(["referrals:read"], hubs=["heath"])
    assert (await other.get("/v1/referral-imports")).json()["items"] == []


async def test_upload_that_breaks_off_is_found_and_logs_no_error(
    given: Harness, caplog: pytest.LogCaptureFixture
):
    async def upload():
        yield b"name,needs\nAmina,food-parcel\n"
        async with asyncio.timeout(30):
            while not await imports_that_are(given, "receiving"):
                pass
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await given.http.post(URL, content=upload())
    async with asyncio.timeout(30):
        while not (listed := await imports_that_are(given, "broken-off")):
            pass
    assert listed[0]["accepted"] == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
