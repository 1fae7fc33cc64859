"""The sheet of a round: intake discloses the names to whoever prints, each by a grant for its task, and nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from rounds_story import ROUTING_KEY, FakeIntake, FakeRouting, confirmed, parcels, planned
from volunteer_match_story import say, volunteer

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_chassis.testing.serving import serving
from bdcan_volunteer_match.app import service
from bdcan_volunteer_match.settings import Settings

PARCELS = ("parcel-delivery",)


@pytest.fixture
def intake() -> FakeIntake:
    return FakeIntake()


@pytest.fixture
async def given(postgres_server, intake) -> AsyncIterator[Harness]:
    async with serving(FakeRouting().app()) as routing_url, serving(intake.app()) as intake_url:
        more = {"routing_url": routing_url, "routing_api_key": ROUTING_KEY, "intake_url": intake_url}
        async with harness(postgres_server, service, Settings, **more) as running:
            yield running


async def test_sheet_asks_for_what_is_left_to_do_as_whoever_prints(
    given: Harness, intake: FakeIntake
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    path = f"/v1/rounds/{round_['round_id']}/sheet"
    early = await given.http.get(path)
    assert (early.status_code, early.json()["type"]) == (409, "urn:bdcan:problem:round-not-confirmed")
    await confirmed(given, round_["round_id"])
    await say(given, tasks[0], "completion", driver)

    answer = await given.http.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["cache-control"] == "no-store"
    [asked] = intake.asked
    assert (asked["purpose"], asked["task_id"], asked["volunteer_id"]) == ("task", tasks[1], str(driver))
    assert asked["grant"]
    assert intake.keys == [given.http.headers["X-API-Key"]]


@pytest.mark.parametrize(("status", "answered"), [(403, 200), (409, 200), (500, 503)])
async def test_what_intake_refuses_stops_no_sheet_and_an_intake_that_is_down_does(
    given: Harness, intake: FakeIntake, status: int, answered: int
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    await confirmed(given, round_["round_id"])
    intake.status = status
    answer = await given.http.get(f"/v1/rounds/{round_['round_id']}/sheet")
    assert answer.status_code == answered, answer.text
