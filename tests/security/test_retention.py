"""What is past its time goes, in each service: the rows of strangers and of people whose story has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from bdcan_chassis import retention
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import VolunteerEnquiryReceived, VolunteerLeft

YEARS_7 = timedelta(days=7 * 366)


intake = pytest.mark.parametrize("service_name", ["intake"])
volunteer_match = pytest.mark.parametrize("service_name", ["volunteer-match"])


async def _end(given: Harness) -> dict[str, int]:
    return await retention.end(given.transactions, given.service.all_kept, given.service.kept_for)


async def _past(given: Harness) -> dict[str, int]:
    found = await retention.look(given.transactions, given.service.all_kept, given.service.kept_for)
    return {past.kept.name: past.rows for past in found if past.rows}


async def _hand_in(given: Harness, reference: str = "Amina Example, 943 476 5919") -> UUID:
    answer = await given.http.post(
        "/v1/referrals",
        json={
            "channel": "phone",
            "reference": reference,
            "person": {
                "name": "Amina Example",
                "phone": "07700 900123",
                "email": "amina@example.org",
                "birth_date": "1941-02-03",
                "nhs_number": "943 476 5919",
                "address": "1 Example Street",
                "postcode": "RM10 8XX",
            },
            "household": {"adults": 2, "children": 1},
            "needs": ["food-parcel"],
            "notes": "Ring the side door.",
        },
    )
    assert answer.status_code == 201, answer.text
    referral_id = UUID(answer.json()["referral_id"])
    noted = await given.http.post(f"/v1/referrals/{referral_id}/notes", json={"text": "Deaf in one ear."})
    assert noted.status_code < 300, noted.text
    return referral_id


async def _withdraw(given: Harness, referral_id: UUID) -> None:
    answer = await given.http.post(
        f"/v1/referrals/{referral_id}/withdrawal", json={"reason": "no-longer-needed"}
    )
    assert answer.status_code < 300, answer.text


async def test_every_kind_can_be_counted_and_ended(given: Harness) -> None:
    by_housekeeping = {kind.name for kind in given.service.all_kept if not kind.by_rule}
    assert set(await _end(given)) == {*by_housekeeping, "audit"}
    assert await _past(given) == {}


async def test_settled_dead_letter_keeps_nothing_that_a_stranger_wrote(given: Harness) -> None:
    for state, days in (("discarded", 31), ("replayed", 31), ("discarded", 29), ("parked", 0)):
        await given.fetch(
            "INSERT INTO chassis.dead_letter (id, consumer, topic, record_partition, record_offset, record_time, record_key,"
            " headers, body, event_type, state, reason, error, taken, settled_at) VALUES ($1, 'c', 't', 0, $2, now(), $3,"
            " '[[\"ce_id\",\"Amina\"]]', '{\"name\": \"Amina\"}', 'Amina', $4, 'bad-body', 'name: Amina', false, $5)",
            uuid4(),
            days * 2 + len(state),
            b"surgery:Amina",
            state,
            datetime.now(UTC) - timedelta(days=days) if days else None,
        )
    assert await _past(given) == {"settled-dead-letters": 2}
    assert (await _end(given))["settled-dead-letters"] == 2
    rows = await given.fetch(
        "SELECT state, row_to_json(d)::text || encode(headers, 'escape') || coalesce(encode(body, 'escape'), '')"
        " || coalesce(encode(record_key, 'escape'), '') AS all FROM chassis.dead_letter AS d ORDER BY seq"
    )
    assert ["Amina" in row["all"] for row in rows] == [False, False, True, True]
    assert all("bad-body" in row["all"] for row in rows)


@intake
async def test_resident_of_a_closed_referral_goes_after_a_year_and_the_figures_stay(given: Harness) -> None:
    closed, still_open = await _hand_in(given), await _hand_in(given, "another")
    await _withdraw(given, closed)
    given.clock.advance(timedelta(days=364))
    assert await _past(given) == {}
    given.clock.advance(timedelta(days=2))
    assert await _past(given) == {"residents": 1, "references": 1, "notes": 1}
    await _end(given)
    assert await _past(given) == {}
    kept = [
        str(dict(row))
        for table in ("referral WHERE id", "resident WHERE referral_id", "note WHERE referral_id")
        for row in await given.fetch(f"SELECT * FROM {table} = $1", closed)
    ]
    for planted in ("Amina", "900123", "943", "RM10", "1941", "side door", "Deaf", "Example Street"):
        assert planted not in " ".join(kept)
    [resident] = await given.fetch("SELECT name FROM resident WHERE referral_id = $1", still_open)
    assert resident["name"] == "Amina Example"
    answer = await given.http.get(f"/v1/referrals/{closed}")
    assert (answer.status_code, answer.json()["state"]) == (200, "closed")


@intake
async def test_portions_end_all_rows(given: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    for number in range(5):
        await _withdraw(given, await _hand_in(given, f"r-{number}"))
    given.clock.advance(YEARS_7)
    assert (await _end(given))["residents"] == 5


@intake
async def test_setting_shortens_a_period_and_a_wrong_name_is_refused(given: Harness) -> None:
    await _withdraw(given, await _hand_in(given))
    given.clock.advance(timedelta(days=8))
    assert await _past(given) == {}
    settings = given.service.settings.model_copy(update={"retention": {"notes": timedelta(days=7)}})
    shorter = replace(given.service, settings=settings)
    found = await retention.look(given.transactions, shorter.all_kept, shorter.kept_for)
    assert {past.kept.name: past.rows for past in found if past.rows} == {"notes": 1}
    for wrong in ({"nots": timedelta(days=7)}, {"notes": timedelta(0)}):
        with pytest.raises(ConfigurationError, match="BDCAN_RETENTION"):
            retention.periods(given.service.all_kept, wrong)


@volunteer_match
async def test_enquiry_that_came_to_nothing_lapses(given: Harness) -> None:
    given_now = given.clock.now()
    await given.deliver(VolunteerEnquiryReceived(enquiry_id=uuid4(), received_at=given_now))
    assert await given.run("lapse") == 0
    given.clock.advance(timedelta(days=181))
    assert await _past(given) == {"enquiries": 1}
    assert await given.run("lapse") == 1
    assert len(await given.emitted(VolunteerLeft)) == 1
    assert await _past(given) == {}
