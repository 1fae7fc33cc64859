"""Goods past their date reach nobody, and a recall is always recorded and finds every parcel that may contain the lot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from bdcan_chassis.ids import derived_id, new_id
from bdcan_contracts.models import (
    ParcelDispatched,
    ParcelReserved,
    ParcelStopped,
    ParcelWarned,
    StockRecalled,
    TaskAccepted,
    TaskCompleted,
)
from bdcan_foodhub import store

RECALL = {
    "site_id": "central",
    "item_id": "soup-tin",
    "lot": "L7",
    "quantity": 6,
    "reason": "glass-found",
}


async def book(foodhub: Any, **line: Any) -> Any:
    body = {"site_id": "central", "lines": [{"item_id": "soup-tin", "quantity": 6} | line]}
    return await foodhub.http.post("/v1/stock-receipts", json=body)


async def at_work(foodhub: Any, tell: Any, state: str, **soup: Any) -> Any:
    """A parcel in a state, with soup of one lot."""
    call, need_id = tell.call_completed()
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    await tell.received(foodhub, {i: n for i, n in tell.asked_for(call).items() if i != "soup-tin"})
    assert (await book(foodhub, lot="L7", **soup)).status_code == 201
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    task_id = new_id()
    for step in {"reserved": (), "picking": ("picking",)}.get(state, ("picking", "packing")):
        assert (await foodhub.http.post(f"{path}/{step}")).status_code == 200
    for reached, kind in ((("dispatched", "delivered"), TaskAccepted), (("delivered",), TaskCompleted)):
        if state in reached:
            await foodhub.deliver(tell.delivery_task(kind, derived_id(need_id, "parcel"), task_id))
    await foodhub.emitted()
    return path


async def drifted(foodhub: Any) -> list[Any]:
    async with foodhub.transactions.pool.acquire() as connection:
        return [*await store.stock.DRIFTED.all(connection), *await store.lots.DRIFTED.all(connection)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"best_before": "0001-01-01"}, "impossible-date"),
        ({"best_before": "1899-12-31"}, "impossible-date"),
        ({"best_before": "9999-12-31"}, "impossible-date"),
        ({"use_by": "2099-01-01"}, "impossible-date"),
        ({"best_before": "2020-03-22"}, "past-its-date"),
        ({"use_by": "2020-03-22"}, "past-its-date"),
        ({"use_by": "2020-03-22", "date_check": "looks-good"}, "past-its-date"),
        ({"best_before": "2019-01-01", "date_check": "tins-sound"}, "past-its-date"),
        ({"item_id": "bread-loaf", "best_before": "2020-03-10", "date_check": "toast"}, "past-its-date"),
    ],
    ids=str,
)
async def test_receipt_past_its_date_is_refused(foodhub, line, code):
    answer = await book(foodhub, **line)
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["errors"]
    assert (problem["code"], problem["field"].split(".")[:2]) == (code, ["lines", "0"])
    assert (await foodhub.http.get("/v1/stock")).json()["items"] == []


@pytest.mark.parametrize(
    "line",
    [
        {"best_before": "2020-03-23"},
        {"use_by": "2020-03-23"},
        {"best_before": "2020-01-15", "date_check": "tins-sound"},
        {"item_id": "pasta", "best_before": "2018-05-01", "date_check": "dry"},
    ],
    ids=str,
)
async def test_goods_of_today_and_checked_long_life_goods_are_booked(foodhub, line):
    assert (await book(foodhub, **line)).status_code == 201


async def test_goods_past_their_date_are_not_reserved(foodhub, tell):
    call, _ = tell.call_completed()
    await tell.received(foodhub, {i: n for i, n in tell.asked_for(call).items() if i != "soup-tin"})
    await book(foodhub, use_by="2020-03-24")
    foodhub.clock.advance(timedelta(days=2))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    assert await foodhub.emitted(ParcelReserved) == []
    (soup,) = [s for s in (await foodhub.http.get("/v1/stock")).json()["items"] if s["item_id"] == "soup-tin"]
    assert (soup["on_hand"], soup["wasted"]) == (0, 6)
    assert await drifted(foodhub) == []


@pytest.mark.parametrize("state", ["reserved", "picking"])
async def test_goods_that_expire_before_packing_are_taken_from_the_parcel(foodhub, tell, state):
    path = await at_work(foodhub, tell, state, use_by="2020-03-24")
    foodhub.clock.advance(timedelta(days=2))
    if state == "picking":
        refused = await foodhub.http.post(f"{path}/packing")
        assert refused.status_code == 409
    await foodhub.run("allocate")
    parcel = (await foodhub.http.get(path)).json()
    assert (parcel["state"], parcel["stopped"]) == ("short", state == "picking")
    assert await drifted(foodhub) == []


async def test_packed_parcel_whose_goods_expire_does_not_leave(foodhub, tell):
    path = await at_work(foodhub, tell, "packed", use_by="2020-03-24")
    foodhub.clock.advance(timedelta(days=2))
    await foodhub.deliver(tell.delivery_task(TaskAccepted, UUID(path.rpartition("/")[2])))
    assert await foodhub.emitted(ParcelDispatched) == []
    parcel = (await foodhub.http.get(path)).json()
    assert (parcel["stopped"], parcel["notices"][0]["facts"]) == (True, ["expired"])
    answer = await foodhub.http.post(f"{path}/decision", json={"decision": "repack", "reason": "expired"})
    assert answer.status_code == 200
    await foodhub.run("allocate")
    assert (await foodhub.http.get(path)).json()["state"] == "short", "the old soup does not come back"
    assert await drifted(foodhub) == []


async def test_goods_with_the_earlier_date_are_packed_first(foodhub, tell):
    await book(foodhub, lot="later", use_by="2020-05-01")
    path = await at_work(foodhub, tell, "packed", use_by="2020-04-01")
    left = await foodhub.fetch("SELECT mark, quantity_left FROM lot WHERE item_id = 'soup-tin' ORDER BY mark")
    assert [(r["mark"], r["quantity_left"]) for r in left] == [("L7", 0), ("later", 6)]
    assert (await foodhub.http.get(path)).json()["state"] == "packed"


@pytest.mark.parametrize("state", ["reserved", "picking", "packed", "dispatched", "delivered"])
async def test_recall_finds_every_parcel_that_may_contain_the_lot(foodhub, tell, state):
    path = await at_work(foodhub, tell, state)
    answer = await foodhub.http.post("/v1/stock-recalls", json=RECALL)
    assert answer.status_code == 201, answer.text
    events = [e.data for e in await foodhub.emitted()]
    assert [type(e) for e in events if isinstance(e, StockRecalled)] == [StockRecalled]
    parcel = (await foodhub.http.get(path)).json()
    listed = {p["parcel_id"]: p["state"] for p in answer.json()["parcels"]}
    match state:
        case "reserved":
            assert (parcel["state"], parcel["stopped"], listed) == ("requested", False, {})
        case "picking" | "packed":
            assert parcel["stopped"]
            assert [e.hub_id for e in events if isinstance(e, ParcelStopped)] == [parcel["hub_id"]]
        case _:
            assert parcel["state"] == state
            assert [e.facts for e in events if isinstance(e, ParcelWarned)] == [("recall",)]
    assert (listed == {}) is (state == "reserved")
    again = await foodhub.http.post("/v1/stock-recalls", json=RECALL)
    assert again.json()["recall_id"] == answer.json()["recall_id"]
    assert await foodhub.emitted() == [], "a recall that is sent again changes nothing"
    (shown,) = (await foodhub.http.get("/v1/stock-recalls")).json()["items"]
    assert {p["parcel_id"] for p in shown["parcels"]} == set(listed)
    assert await drifted(foodhub) == []


async def test_recall_of_a_lot_that_nobody_received_is_recorded(foodhub):
    answer = await foodhub.http.post("/v1/stock-recalls", json=RECALL | {"lot": "unheard"})
    assert (answer.status_code, answer.json()["taken"]) == (201, 0)
    assert len(await foodhub.emitted(StockRecalled)) == 1
    without = {k: v for k, v in RECALL.items() if k != "quantity"}
    assert (await foodhub.http.post("/v1/stock-recalls", json=without)).status_code == 201
    assert len((await foodhub.http.get("/v1/stock-recalls")).json()["items"]) == 2


async def test_parcel_packed_before_the_lot_came_is_left_alone(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    for step in ("picking", "packing"):
        await foodhub.http.post(f"{path}/{step}")
    await foodhub.deliver(tell.delivery_task(TaskCompleted, derived_id(need_id, "parcel")))
    foodhub.clock.advance(timedelta(hours=1))
    await book(foodhub, lot="L7")
    answer = await foodhub.http.post("/v1/stock-recalls", json=RECALL)
    assert (answer.json()["taken"], answer.json()["parcels"]) == (6, [])


async def test_recalled_lot_cannot_come_in_again(foodhub, tell):
    await foodhub.http.post("/v1/stock-recalls", json=RECALL)
    answer = await book(foodhub, lot="L7")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "recalled-lot")


async def test_recalled_goods_of_a_repacked_parcel_do_not_return_to_the_shelf(foodhub, tell):
    path = await at_work(foodhub, tell, "packed")
    await foodhub.http.post("/v1/stock-recalls", json=RECALL)
    await foodhub.http.post(f"{path}/decision", json={"decision": "repack", "reason": "recall"})
    await foodhub.run("allocate")
    parcel = (await foodhub.http.get(path)).json()
    assert (parcel["state"], [m["item_id"] for m in parcel["missing"]]) == ("short", ["soup-tin"])
    assert await drifted(foodhub) == []


@pytest.mark.parametrize(("counted", "state"), [(0, "short"), (5, "short"), (6, "reserved"), (9, "reserved")])
async def test_wrong_receipt_is_corrected_by_a_count(foodhub, tell, counted, state):
    path = await at_work(foodhub, tell, "reserved")
    body = {"site_id": "central", "item_id": "soup-tin", "counted": counted, "reason": "typed-wrong"}
    for _ in range(2):
        answer = await foodhub.http.post("/v1/stock-counts", json=body)
        assert (answer.status_code, answer.json()["on_hand"]) == (201, counted)
    await foodhub.run("allocate")
    assert (await foodhub.http.get(path)).json()["state"] == state
    assert await drifted(foodhub) == []


@pytest.mark.parametrize("path", ["stock", "stock-recalls", "parcels", "parcel-notices", "back-orders"])
async def test_list_of_a_site_that_does_not_exist_is_refused(foodhub, path):
    answer = await foodhub.http.get(f"/v1/{path}", params={"site": "nowhere"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown-site")


async def test_corrections_of_the_books_say_why(foodhub, tell):
    await book(foodhub, lot="L7", best_before="2020-03-24", date_check="sound")
    site = {"site_id": "central"}
    count = site | {"item_id": "soup-tin", "reason": "typed-wrong"}
    waste = {"item_id": "soup-tin", "quantity": 2}
    for path, body in (
        ("stock-counts", count | {"counted": 9}),
        ("stock-counts", count | {"counted": 9}),
        ("stock-counts", count | {"counted": 8}),
        ("stock-write-offs", site | {"reason": "dented", "lines": [waste]}),
        ("stock-recalls", RECALL | {"quantity": 1}),
    ):
        assert (await foodhub.http.post(f"/v1/{path}", json=body)).status_code == 201
    foodhub.clock.advance(timedelta(days=900))
    await foodhub.run("allocate")
    shown = (await foodhub.http.get("/v1/stock-corrections", params={"site": "central"})).json()["items"]
    told = [(one["kind"], one["quantity"], one["reason"]) for one in reversed(shown)]
    assert told[:4] == [
        ("received", 3, "typed-wrong"),
        ("wasted", 1, "typed-wrong"),
        ("wasted", 2, "dented"),
        ("wasted", 1, "glass-found"),
    ]
    assert await drifted(foodhub) == []


@pytest.mark.parametrize("line", [{"best_before": "2040-03-18"}, {"use_by": "2020-03-23"}], ids=str)
async def test_date_of_today_or_of_nearly_twenty_years_is_good(foodhub, line):
    assert (await book(foodhub, **line)).status_code == 201


async def test_date_in_thirty_years_is_a_slip(foodhub):
    answer = await book(foodhub, best_before="2050-03-23")
    assert answer.json()["errors"][0]["code"] == "impossible-date"


async def test_recall_of_a_lot_partly_on_the_road_and_partly_on_the_shelf(foodhub, tell):
    path = await at_work(foodhub, tell, "dispatched")
    foodhub.clock.advance(timedelta(minutes=5))
    await book(foodhub, lot="L7")
    answer = (await foodhub.http.post("/v1/stock-recalls", json=RECALL)).json()
    assert (answer["taken"], answer["stock"]["on_hand"]) == (6, 0)
    assert [(p["parcel_id"], p["state"]) for p in answer["parcels"]] == [
        (path.rpartition("/")[2], "dispatched")
    ]
    assert len(await foodhub.emitted(ParcelWarned)) == 1
    assert await drifted(foodhub) == []


async def test_a_hub_counts_and_sees_its_own_parcels_only(foodhub: Any, tell: Any) -> None:
    path = await at_work(foodhub, tell, "dispatched")
    assert (await foodhub.http.post("/v1/stock-recalls", json=RECALL | {"quantity": 0})).status_code == 201
    own = (await foodhub.http.get(path)).json()["hub_id"]
    scopes = ["parcels:read", "stock:read"]
    for hub, count in ((own, 1), ("another-hub", 0)):
        people = foodhub.person(scopes, [hub], name="coordinator")
        summary = (await people.get("/v1/summary")).json()
        assert (summary["parcels"], sum(summary["by_state"].values())) == (count, count)
        [recall] = (await people.get("/v1/stock-recalls")).json()["items"]
        assert len(recall["parcels"]) == count
