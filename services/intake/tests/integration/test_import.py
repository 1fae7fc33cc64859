"""CSV files: good rows go in, bad ones come back by line and column, and the same file twice is one list."""

from __future__ import annotations

import asyncio
import csv
import io

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_intake.admission import Accepted, take_on
from bdcan_intake.books import Referrals
from bdcan_intake.csv_file import COLUMNS
from bdcan_intake.domain.submission import Person, Submission, examine

URL = "/v1/referral-imports?source=shielding-list"


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
        ("3", "A-2", "adults", "int-parsing"),
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
        (b"name\nAm\xe9lie\n", ["not-utf-8"]),
        (b"name\nA\0\n", ["not-text"]),
        (b'name\n"A\n', ["not-csv"]),
        (b"\x89PNG\r\n\x1a\n", ["not-utf-8"]),
    ],
)
async def test_file_that_cannot_be_read_is_refused_with_the_reason(
    given: Harness, content: bytes, codes: list[str]
):
    answer = await given.http.post(URL, content=content)
    assert answer.status_code == 422
    assert [e["code"] for e in answer.json()["errors"]] == codes


async def test_long_file_broken_at_its_end_is_refused_whole(given: Harness):
    rows = "\n".join(f"R-{i},Person {i},food-parcel" for i in range(1_500))
    answer = await given.http.post(URL, content=f'reference,name,needs\n{rows}\nR-X,"Half a')
    assert answer.status_code == 422
    assert await given.fetch("SELECT id FROM referral") == []


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


async def test_wrong_or_missing_source_is_named(given: Harness):
    for url in ("/v1/referral-imports", "/v1/referral-imports?source=No Slug"):
        answer = await given.http.post(url, content="name\nA\n")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "query.source"


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
