"""The foodhub's routes: what they do, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bdcan_chassis.ids import derived_id, new_id
from bdcan_contracts.models import Priority, StockRecalled


async def test_repeated_receipt_counts_once(foodhub):
    body = {"site_id": "central", "lines": [{"item_id": "soup-tin", "quantity": 24, "lot": "L1"}]}
    first = await foodhub.http.post("/v1/stock-receipts", json=body, headers={"Idempotency-Key": "lorry-7"})
    again = await foodhub.http.post("/v1/stock-receipts", json=body, headers={"Idempotency-Key": "lorry-7"})
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    (soup,) = (await foodhub.http.get("/v1/stock", params={"site": "central"})).json()["items"]
    assert (soup["on_hand"], soup["free"], soup["low"]) == (24, 24, True)


async def test_concurrent_first_receipts_are_all_counted(foodhub):
    body = {
        "site_id": "central",
        "lines": [{"item_id": "egg", "quantity": 1}, {"item_id": "rice", "quantity": 1}],
    }
    turned = body | {"lines": body["lines"][::-1]}
    answers = await asyncio.gather(
        *(foodhub.http.post("/v1/stock-receipts", json=b) for b in [body, turned] * 10)
    )
    assert {a.status_code for a in answers} == {201}
    levels = (await foodhub.http.get("/v1/stock")).json()["items"]
    assert [x["on_hand"] for x in levels] == [20, 20]


async def test_faulty_receipt_names_every_field(foodhub):
    body = {
        "site_id": "nowhere",
        "lines": [
            {"item_id": "caviar", "quantity": 1},
            {"item_id": "egg", "quantity": 1},
            {"item_id": "gold", "quantity": 1},
        ],
    }
    answer = await foodhub.http.post("/v1/stock-receipts", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in answer.json()["errors"]] == ["site_id", "lines.0.item_id", "lines.2.item_id"]
    body = {"site_id": "Not A Slug", "lines": [{"item_id": "egg", "quantity": 0, "colour": "brown"}]}
    answer = await foodhub.http.post("/v1/stock-receipts", json=body)
    assert {e["field"] for e in answer.json()["errors"]} == {"site_id", "lines.0.quantity", "lines.0"}


async def test_reserved_goods_cannot_be_written_off(foodhub, tell):
    call, _ = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    body = {"site_id": "central", "reason": "mouldy", "lines": [{"item_id": "bread-loaf", "quantity": 1}]}
    refused = await foodhub.http.post("/v1/stock-write-offs", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:not-enough-stock")
    await tell.received(foodhub, {"bread-loaf": 1})
    done = await foodhub.http.post("/v1/stock-write-offs", json=body)
    assert done.status_code == 201
    assert done.json()["items"][0]["wasted"] == 1
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["balanced"]


async def test_waiting_parcel_cannot_be_picked_or_packed(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    for step in ("picking", "packing"):
        answer = await foodhub.http.post(f"/v1/parcels/{derived_id(need_id, 'parcel')}/{step}")
        assert answer.status_code == 409
        assert "requested" in answer.json()["detail"]


async def test_parcel_packed_by_two_pickers_leaves_stock_once(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call, times=2))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    for step in ("picking", "packing"):
        answers = await asyncio.gather(*(foodhub.http.post(f"{path}/{step}") for _ in range(4)))
        assert {a.status_code for a in answers} == {200}
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["issued"], stock["reserved"]) == (stock["on_hand"], 0)


async def test_parcels_are_paged_in_due_order(foodhub, tell):
    calls = [tell.call_completed()[0] for _ in range(5)]
    await foodhub.deliver(*calls)
    seen, after = [], None
    while True:
        params = {"limit": 2, "state": "requested"} | ({"after": after} if after else {})
        page = (await foodhub.http.get("/v1/parcels", params=params)).json()
        seen += [p["parcel_id"] for p in page["items"]]
        if not (after := page.get("next")):
            break
    assert sorted(seen) == sorted(str(derived_id(c.needs[0].need_id, "parcel")) for c in calls)


async def test_hub_staff_see_only_parcels_of_their_hub(foodhub, tell):
    mine, mine_need = tell.call_completed(hub_id="thames")
    theirs, their_need = tell.call_completed(hub_id="heath")
    await foodhub.deliver(mine, theirs)
    hub = foodhub.client(["parcels:read", "parcels:write"], ["thames"])
    seen = (await hub.get("/v1/parcels")).json()["items"]
    assert [p["parcel_id"] for p in seen] == [str(derived_id(mine_need, "parcel"))]
    other = f"/v1/parcels/{derived_id(their_need, 'parcel')}"
    assert (await hub.get(other)).status_code == 404
    assert (await hub.post(f"{other}/picking")).status_code == 404


async def test_wrong_keys_and_ids_are_named(foodhub):
    stranger = {"X-API-Key": "wrong"}
    reader = foodhub.client(["parcels:read"], [])
    receipt = {"site_id": "central", "lines": [{"item_id": "egg", "quantity": 1}]}
    assert (await foodhub.http.get("/v1/parcels", headers=stranger)).status_code == 401
    assert (await reader.post("/v1/stock-receipts", json=receipt)).status_code == 403
    assert (await reader.post(f"/v1/parcels/{new_id()}/picking")).status_code == 403
    assert (await foodhub.http.get(f"/v1/parcels/{new_id()}")).status_code == 404
    assert (await foodhub.http.get("/v1/parcels/not-an-id")).status_code == 404
    assert (await foodhub.http.get("/v1/parcels", params={"state": "lost"})).status_code == 422
    bad = await foodhub.http.post(
        "/v1/stock-receipts", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert bad.status_code == 400


async def test_recalled_lot_takes_stock_from_the_parcel_due_last(foodhub, tell):
    urgent, urgent_need = tell.call_completed(priority=Priority.URGENT)
    later, later_need = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(urgent, times=2))
    await foodhub.deliver(urgent, later)
    await foodhub.run("allocate")
    body = {
        "site_id": "central",
        "item_id": "soup-tin",
        "lot": "L7",
        "quantity": 1,
        "reason": "supplier-recall",
    }
    answer = await foodhub.http.post("/v1/stock-recalls", json=body)
    assert answer.status_code == 201, answer.text
    (event,) = await foodhub.emitted(StockRecalled)
    assert (event.data.lot, event.data.on_hand, event.data.reserved) == ("L7", 11, 6)
    await foodhub.run("allocate")
    states = {p["need_id"]: p["state"] for p in (await foodhub.http.get("/v1/parcels")).json()["items"]}
    assert states == {str(urgent_need): "reserved", str(later_need): "short"}
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["balanced"]
    too_much = await foodhub.http.post("/v1/stock-recalls", json=body | {"quantity": 13})
    assert (too_much.status_code, too_much.json()["taken"]) == (201, 12), (
        "recorded, and all that is there leaves"
    )
    unknown = await foodhub.http.post(
        "/v1/stock-recalls", json=body | {"item_id": "gold", "site_id": "nowhere"}
    )
    assert [e["field"] for e in unknown.json()["errors"]] == ["site_id", "item_id"]


async def test_who_picks_or_packs_a_parcel_may_read_where_it_goes_for_four_hours(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    assert (await foodhub.http.get(path)).json()["grant"] is None
    keys = foodhub.service.settings.grant_keys
    picker = foodhub.person(["parcels:write", "hubs:all"], name="pat")
    for step in ("picking", "packing"):
        answer = await picker.post(f"{path}/{step}")
        grant = keys.read(answer.json()["grant"])
        now = foodhub.clock.now()
        assert grant.opens("person:pat", "delivery_label", call.referral_id, now)
        assert not grant.opens("person:ada", "delivery_label", call.referral_id, now)
        assert not grant.opens("person:pat", "welfare_call", call.referral_id, now)
        assert not grant.opens("person:pat", "delivery_label", call.referral_id, now + timedelta(hours=4))
    assert (await picker.post(f"{path}/packing")).json()["grant"]
    assert (await foodhub.http.get(path)).json()["grant"] is None
