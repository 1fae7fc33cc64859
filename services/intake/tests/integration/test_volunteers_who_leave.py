"""From an enquiry in the list to the person, and nothing of the person after they left."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts import models as m
from bdcan_intake.domain.enquiry import volunteer_id_of

PERSON = {
    "name": "Grace Volunteer",
    "phone": "07700 900999",
    "email": "grace@example.org",
    "postcode": "RM8 2XX",
    "notes": "Grace has a van.",
}


async def enquire(given: Harness, key: str = "k") -> UUID:
    answer = await given.http.post("/v1/volunteer-enquiries", json=PERSON, headers={"Idempotency-Key": key})
    return UUID(answer.json()["enquiry_id"])


def asked(volunteer_id: UUID) -> dict[str, str]:
    return {
        "volunteer_id": str(volunteer_id),
        "purpose": "volunteer_induction",
        "reason": "to welcome Grace",
    }


def left(volunteer_id: UUID) -> m.VolunteerLeft:
    return m.VolunteerLeft(volunteer_id=volunteer_id, version=2, left_at=START)


@pytest.mark.parametrize("known", [True, False])
async def test_list_of_volunteers_leads_to_the_person(given: Harness, known: bool):
    enquiry_id = await enquire(given)
    if not known:  # written by an older release
        await given.transactions.pool.execute("UPDATE volunteer_enquiry SET volunteer_id = NULL")
    coordinator = given.client(["disclosures:volunteer_induction"])
    answer = await coordinator.post("/v1/disclosures", json=asked(volunteer_id_of(enquiry_id)))
    assert (answer.status_code, answer.json()["name"]) == (200, "Grace Volunteer")
    [audit] = await given.fetch("SELECT subject_id, actor FROM chassis.audit WHERE act = 'disclosed'")
    assert (audit["subject_id"], audit["actor"]) == (enquiry_id, "key:test-1")
    assert (await coordinator.post("/v1/disclosures", json=asked(uuid4()))).status_code == 404


@pytest.mark.parametrize("known", [True, False])
async def test_volunteer_who_left_is_stored_nowhere(given: Harness, known: bool):
    enquiry_id, other = await enquire(given), await enquire(given, "other")
    volunteer_id = volunteer_id_of(enquiry_id)
    assert (await given.http.post("/v1/disclosures", json=asked(volunteer_id))).status_code == 200
    if not known:
        await given.transactions.pool.execute("UPDATE volunteer_enquiry SET volunteer_id = NULL")
    record = given.record(left(volunteer_id))
    await given.deliver(record)
    await given.deliver(record)
    for row in await given.fetch("SELECT * FROM volunteer_enquiry WHERE id = $1", enquiry_id):
        assert not {str(value) for value in row.values()} & set(PERSON.values())
    tables = await given.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('public', 'chassis')"
    )
    for table in tables:
        rows = await given.fetch(f"SELECT t::text FROM {table['name']} AS t")
        hits = [r["t"] for r in rows if "Grace" in r["t"] and str(other) not in r["t"]]
        assert not hits, table["name"]
    assert (await given.http.post("/v1/disclosures", json=asked(volunteer_id))).status_code == 404
    by_id = {"enquiry_id": str(enquiry_id), "purpose": "volunteer_induction", "reason": "to welcome"}
    assert (await given.http.post("/v1/disclosures", json=by_id)).status_code == 404
    [stays] = await given.fetch("SELECT name FROM volunteer_enquiry WHERE id = $1", other)
    assert stays["name"] == "Grace Volunteer"


def activated(volunteer_id: UUID, version: int, *hubs: str) -> m.VolunteerActivated:
    return m.VolunteerActivated(
        volunteer_id=volunteer_id,
        version=version,
        hub_ids=hubs,
        dbs_cleared=False,
        has_car=False,
        activated_at=START,
    )


async def test_who_was_welcomed_is_disclosed_to_their_hubs_alone(given: Harness):
    enquiry_id = await enquire(given)
    volunteer_id = volunteer_id_of(enquiry_id)
    by_enquiry = {"enquiry_id": str(enquiry_id), "purpose": "volunteer_induction", "reason": "to ring"}

    async def statuses() -> list[int]:
        return [
            (
                await given.client(["disclosures:volunteer_induction", *more], hubs=hubs).post(
                    "/v1/disclosures", json=body
                )
            ).status_code
            for more, hubs in (([], ["hub-1"]), ([], ["hub-2"]), (["hubs:all"], []))
            for body in (asked(volunteer_id), by_enquiry)
        ]

    assert await statuses() == [200] * 6
    later = given.record(activated(volunteer_id, 3, "hub-2"))
    await given.deliver(given.record(activated(volunteer_id, 2, "hub-1")))
    assert await statuses() == [200, 200, 404, 404, 200, 200]
    await given.deliver(later, later)
    await given.deliver(given.record(activated(volunteer_id, 2, "hub-1")))
    await given.deliver(given.record(activated(uuid4(), 1, "hub-1")))
    assert await statuses() == [404, 404, 200, 200, 200, 200]
    await given.deliver(given.record(left(volunteer_id)))
    await given.deliver(given.record(activated(volunteer_id, 4, "hub-1")))
    assert await statuses() == [404] * 6
