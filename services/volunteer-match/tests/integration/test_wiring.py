"""What the catalogue says that this service reads and writes is what it reads and writes."""

from __future__ import annotations

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.envelope import consumed_types


async def test_every_event_that_the_catalogue_names_has_a_handler(given: Harness) -> None:
    wanted = {
        (topic.name, kind) for topic, kind in consumed_types(given.service.catalogue, "volunteer-match")
    }
    bound = [pair for consumer in given.service.consumers for pair in consumer.bind(given.service.catalogue)]
    assert set(bound) == wanted
    assert len(bound) == len(set(bound))


async def test_bulk_lists_share_no_loop_with_anything_else(given: Harness) -> None:
    lanes = {
        consumer.name: {given.service.catalogue.by_topic[name].traffic_class for name in consumer.topics}
        for consumer in given.service.consumers
    }
    assert lanes["outreach"] == {"bulk"}
    assert all("bulk" not in found for name, found in lanes.items() if name != "outreach")


async def test_every_route_answers_in_the_openapi_document(given: Harness) -> None:
    document = (await given.http.get("/openapi.json")).json()
    assert {p for p in document["paths"] if not p.startswith("/v1/dead-letters")} == {
        "/v1/welfare-calls",
        "/v1/welfare-calls/{call_id}",
        "/v1/welfare-calls/{call_id}/claim",
        "/v1/welfare-calls/{call_id}/outcome",
        "/v1/welfare-calls/{call_id}/undo",
        "/v1/welfare-calls/{call_id}/reopening",
        "/v1/welfare-calls/{call_id}/review",
        "/v1/welfare-calls/{call_id}/release",
        "/v1/call-list",
        "/v1/call-list/counts",
        "/v1/call-list/next",
        "/v1/tasks",
        "/v1/tasks/{task_id}",
        "/v1/tasks/{task_id}/acceptance",
        "/v1/tasks/{task_id}/refusal",
        "/v1/tasks/{task_id}/completion",
        "/v1/tasks/{task_id}/completions",
        "/v1/tasks/{task_id}/no-show",
        "/v1/tasks/{task_id}/failure",
        "/v1/tasks/{task_id}/undo",
        "/v1/tasks/{task_id}/concerns",
        "/v1/tasks/{task_id}/flag-decision",
        "/v1/tasks/{task_id}/matching",
        "/v1/tasks/{task_id}/offer",
        "/v1/rounds",
        "/v1/rounds/{round_id}",
        "/v1/rounds/{round_id}/confirmation",
        "/v1/rounds/{round_id}/cancellation",
        "/v1/rounds/{round_id}/sheet",
        "/v1/rounds/{round_id}/stops",
        "/v1/volunteers",
        "/v1/volunteers/{volunteer_id}/activation",
        "/v1/volunteers/{volunteer_id}/profile",
        "/v1/volunteers/{volunteer_id}/on-duty",
        "/v1/volunteers/{volunteer_id}/off-duty",
        "/v1/volunteers/{volunteer_id}/pause",
        "/v1/volunteers/{volunteer_id}/leave",
        "/v1/volunteers/{volunteer_id}/suspension",
        "/v1/volunteers/{volunteer_id}/contact-views",
        "/v1/volunteers/{volunteer_id}/checks",
        "/v1/volunteers/{volunteer_id}/checks/withdrawal",
        "/v1/rights/exports",
        "/v1/summary",
        "/v1/matching-figures",
        "/v1/hubs",
    }
