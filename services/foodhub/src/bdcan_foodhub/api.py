"""Routes for pickers and stock keepers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi import Query as Asked
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.database import Connection
from bdcan_chassis.grants import Grant
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Reason, Slug, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked, Paging
from bdcan_chassis.http.problems import InvalidError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.table import Query
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import Priority, StockUnit
from bdcan_contracts.vocabulary import Diet
from bdcan_foodhub import store
from bdcan_foodhub.books import Parcels, Stock
from bdcan_foodhub.domain import parcel as parcelling
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.lots import Lot, Recall, date_problem, recall_id, usable_until
from bdcan_foodhub.domain.parcel import BackOrderOutcome, Decision, Parcel, State
from bdcan_foodhub.domain.referral import Referral
from bdcan_foodhub.domain.stock import Level, MoveKind, Movement, Place
from bdcan_foodhub.recall import recall, recount
from bdcan_foodhub.settings import Settings

_MOST = 100_000_000
"""Units in one receipt line at most: a slip of the finger is refused, a lorry is not."""

Mark = Annotated[Text, Field(min_length=1, max_length=60)]
Quantity = Annotated[int, Field(ge=1, le=_MOST, description="in the item's unit: pieces, grams, millilitres")]
ParcelReader = Annotated[Caller, Depends(needs("parcels:read"))]
ParcelWriter = Annotated[Caller, Depends(needs("parcels:write"))]
StockReader = Annotated[Caller, Depends(needs("stock:read"))]
StockWriter = Annotated[Caller, Depends(needs("stock:write"))]


class ReceiptLine(Body):
    """Received goods of one item."""

    item_id: Slug
    quantity: Quantity
    lot: Mark | None = None
    use_by: date | None = Field(default=None, description="absolute: nothing leaves after it")
    best_before: date | None = None
    date_check: Reason | None = Field(
        default=None,
        description="why goods past their best-before date are good, after somebody checked them",
    )


class StockReceipt(Body):
    """A delivery that somebody has counted."""

    site_id: Slug
    lines: Annotated[list[ReceiptLine], Field(min_length=1, max_length=500)]


class WasteLine(Body):
    """Goods of one item that are thrown away."""

    item_id: Slug
    quantity: Quantity
    lot: Mark | None = None


class StockWaste(Body):
    """Goods that are thrown away. Goods that are reserved for a parcel cannot be."""

    site_id: Slug
    reason: Reason
    lines: Annotated[list[WasteLine], Field(min_length=1, max_length=500)]


class StockCount(Body):
    """What somebody counted on the shelf, reserved goods included, and why the books were wrong, as a code."""

    site_id: Slug
    item_id: Slug
    counted: Annotated[int, Field(ge=0, le=_MOST)]
    reason: Reason


class StockRecall(Body):
    """A lot that a supplier recalls. `quantity`: all of it that was counted on the shelf; left out: what the books say."""

    site_id: Slug
    item_id: Slug
    lot: Mark
    quantity: Annotated[int, Field(ge=0, le=_MOST)] | None = None
    reason: Reason


class Packing(Body):
    """Bags and weight as somebody counted and weighed them. What is left out is computed from the lines."""

    bags: Annotated[int, Field(ge=1, le=100)] | None = None
    weight_grams: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class DietDecision(Body):
    """What a person found out about a diet that this release does not know, as diets that it does know."""

    diets: Annotated[tuple[Diet, ...], Field(max_length=20)]


class StopDecision(Body):
    """What a person decides about a stopped parcel, and why, as a code: let it go as it is, or pack it anew."""

    decision: Decision
    reason: Reason


class BackOrder(Body):
    """What became of the items that were to follow a parcel, and how or why, as a code."""

    outcome: BackOrderOutcome
    reason: Reason


class PassedOn(Body):
    """How a warning was passed on, as a code."""

    reason: Reason = "told"


class StockView(BaseModel):
    """An item at a site, in its unit. received = on_hand + issued + wasted; free = on_hand - reserved."""

    site_id: str
    item_id: str
    unit: StockUnit
    received: int
    on_hand: int
    reserved: int
    free: int
    issued: int
    wasted: int
    low: bool


class StockList(BaseModel):
    """Stock by site and item."""

    items: list[StockView]


class CorrectionView(BaseModel):
    """One correction of the books. `received`: so much more was there; `wasted`: so much less, or thrown away."""

    model_config = ConfigDict(from_attributes=True)
    site_id: str
    item_id: str
    kind: MoveKind
    quantity: int
    lot: str | None = None
    reason: str
    moved_at: datetime


class CorrectionList(BaseModel):
    """Corrections, the newest first."""

    items: list[CorrectionView]


class ReceiptView(BaseModel):
    """What was booked, and the levels afterwards."""

    receipt_id: UUID
    items: list[StockView]


class LineView(BaseModel):
    """A line of a parcel. `instead_of`: the item that a diet ruled out."""

    item_id: str
    unit: StockUnit
    quantity: int
    instead_of: str | None = None


class OwedView(BaseModel):
    """A line that was missing and follows the parcel. `ready`: it is reserved and can be sent."""

    item_id: str
    unit: StockUnit
    quantity: int
    ready: bool


class MissingView(BaseModel):
    """What a short parcel lacks."""

    item_id: str
    quantity: int


class NoticeView(BaseModel):
    """Something that a person must see to about a parcel. `stops`: the parcel does not go on before a decision."""

    facts: list[str]
    stops: bool
    owner: str
    since: datetime
    due_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    decision: str | None = None
    reason: str | None = None


class ParcelView(BaseModel):
    """A parcel with its lines: what a picker needs, without a name."""

    parcel_id: UUID
    referral_id: UUID
    need_id: UUID
    hub_id: str
    site_id: str
    code: str
    priority: Priority
    diets: list[str]
    undecided: list[str] = Field(
        description="diets that a person must decide about; until then nothing is reserved"
    )
    people: int | None = None
    flags: list[str]
    state: State
    stopped: bool = Field(description="a person must decide before the parcel goes on; see notices")
    notices: list[NoticeView] = Field(description="what a person must see to, and what was seen to")
    lines: list[LineView]
    missing: list[MissingView]
    owed: list[OwedView] = Field(description="lines that were missing and follow later; the site owes them")
    owed_due_at: datetime | None = None
    owed_by: str | None = Field(default=None, description="who sends what is to follow")
    requested_at: datetime
    due_at: datetime
    changed_at: datetime
    retry_at: datetime | None = None
    overdue: bool
    bags: int | None = None
    weight_grams: int | None = None
    task_id: UUID | None = None
    same_person_ids: list[UUID] = Field(description="referrals that may be about the same person")
    same_household_ids: list[UUID] = Field(description="referrals that may be about the same household")
    grant: str | None = Field(
        default=None,
        description="of the answer to whoever picks or packs: send it with intake's disclosure `delivery_label`",
    )

    @classmethod
    def of(cls, parcel: Parcel, referral: Referral | None) -> Self:
        """The view of a parcel of this referral."""
        home = parcel.household
        return cls(
            parcel_id=parcel.parcel_id,
            referral_id=parcel.referral_id,
            need_id=parcel.need_id,
            hub_id=parcel.hub_id,
            site_id=parcel.site_id,
            code=parcel.code,
            priority=parcel.priority,
            diets=list(parcel.diets),
            undecided=list(parcel.undecided),
            people=home.adults + home.children + home.infants if home else None,
            flags=list(parcel.flags),
            state=parcel.state,
            stopped=parcel.stopped,
            notices=[NoticeView(**asdict(notice)) for notice in parcel.notices],
            lines=[
                LineView(item_id=x.item_id, unit=x.unit, quantity=x.quantity, instead_of=x.instead_of)
                for x in parcel.lines
            ],
            missing=[MissingView(item_id=m.item_id, quantity=m.quantity) for m in parcel.missing],
            owed=[
                OwedView(item_id=x.item_id, unit=x.unit, quantity=x.quantity, ready=ready)
                for lines, ready in ((parcel.top_up, True), (parcel.back_order, False))
                for x in lines
            ],
            owed_by=f"site:{parcel.site_id}" if parcel.back_order or parcel.top_up else None,
            owed_due_at=parcel.owed_due_at,
            requested_at=parcel.requested_at,
            due_at=parcel.due_at,
            changed_at=parcel.changed_at,
            retry_at=parcel.retry_at,
            overdue=parcel.overdue,
            bags=parcel.bags,
            weight_grams=parcel.weight_grams,
            task_id=parcel.task_id,
            same_person_ids=list(referral.same_person_ids) if referral else [],
            same_household_ids=list(referral.same_household_ids) if referral else [],
        )


class MayContain(BaseModel):
    """A parcel that may contain a recalled lot, and where it is now."""

    parcel_id: UUID
    referral_id: UUID
    hub_id: str
    state: State


class RecallView(BaseModel):
    """A recall: how much was counted, how much left the shelf, and every parcel that may contain the lot."""

    recall_id: UUID
    site_id: str
    item_id: str
    lot: str
    reason: str
    recalled_at: datetime
    quantity: int
    taken: int
    parcels: list[MayContain]

    @classmethod
    def of(cls, recall: Recall, parcels: Mapping[UUID, Parcel], caller: Caller) -> Self:
        """The view of a recall; `parcels` are those that it names, by id. A hub sees its own."""
        found = [p for p in map(parcels.__getitem__, recall.parcels) if caller.sees_hub(p.hub_id)]
        listed = [
            MayContain(parcel_id=p.parcel_id, referral_id=p.referral_id, hub_id=p.hub_id, state=p.state)
            for p in found
        ]
        return cls.model_validate(asdict(recall) | {"parcels": listed})


class RecallDone(RecallView):
    """A recall, and the level of the item at the site afterwards."""

    stock: StockView


class RecallList(BaseModel):
    """Recalls, the newest first."""

    items: list[RecallView]


class StockTotals(BaseModel):
    """Sums over all items and sites in mixed units. They only show that nothing is lost."""

    received: int
    on_hand: int
    issued: int
    wasted: int
    reserved: int
    balanced: bool = Field(description="received = on_hand + issued + wasted, and reserved <= on_hand")

    @classmethod
    def of(cls, totals: store.stock.Totals) -> Self:
        """The view of the sums."""
        adds_up = totals.received == totals.on_hand + totals.issued + totals.wasted
        return cls(**asdict(totals), balanced=adds_up and totals.reserved <= totals.on_hand)


class Summary(BaseModel):
    """The foodhub at a glance."""

    parcels: int
    by_state: dict[str, int]
    overdue: int
    stock: StockTotals


def router(settings: Settings) -> Routes:
    """All routes of the foodhub."""
    routes = Routes(prefix="/v1")
    _stock_routes(routes, settings)
    _parcel_routes(routes, settings)

    @routes.get("/summary", tags=["overview"])
    async def summary(request: Request, caller: ParcelReader) -> Summary:
        """The foodhub at a glance. A hub counts its own parcels only; the stock is everybody's."""
        hubs = caller.visible_hubs
        async with (
            reading(request) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            by_state = await store.parcels.COUNT_OF_HUBS.pairs(connection, hubs=hubs)
            overdue = await store.parcels.OVERDUE_OF_HUBS.value(connection, hubs=hubs)
            [totals] = await store.stock.TOTALS.all(connection)
        return Summary(
            parcels=sum(by_state.values()),
            by_state=by_state,
            overdue=overdue,
            stock=StockTotals.of(totals),
        )

    return routes


def _stock_routes(routes: Routes, settings: Settings) -> None:
    @routes.post("/stock-receipts", status_code=201, response_model=ReceiptView, tags=["stock"])
    async def receive(body: StockReceipt, _caller: StockWriter, once: OnceOnly) -> Response:
        """Book a delivery. Send an Idempotency-Key, because a double click must not double the stock."""
        _must_be_known(settings, body.site_id, [line.item_id for line in body.lines])
        return await once(lambda tx: _take_in(tx, body), status=201)

    @routes.post("/stock-write-offs", status_code=201, response_model=ReceiptView, tags=["stock"])
    async def write_off(body: StockWaste, _caller: StockWriter, once: OnceOnly) -> Response:
        """Book goods that are thrown away. 409 if they are more than is free."""
        _must_be_known(settings, body.site_id, [line.item_id for line in body.lines])
        return await once(lambda tx: _throw_away(tx, body), status=201)

    @routes.post("/stock-counts", status_code=201, response_model=StockView, tags=["stock"])
    async def correct(body: StockCount, _caller: StockWriter, once: OnceOnly) -> Response:
        """Correct the books after a wrong receipt or count. Parcels lose goods that are not there, the one due last first."""
        _must_be_known(settings, body.site_id, [body.item_id], field="item_id")

        async def work(tx: Tx) -> BaseModel:
            return _stock_view(
                await recount(tx, Place(body.site_id, body.item_id), body.counted, body.reason)
            )

        return await once(work, status=201)

    @routes.post("/stock-recalls", status_code=201, response_model=RecallDone, tags=["stock"])
    async def recall_lot(body: StockRecall, caller: StockWriter, once: OnceOnly) -> Response:
        """Record a recall, always, and take the lot off the shelf. Parcels that may contain it stop, or their hub is warned."""
        _must_be_known(settings, body.site_id, [body.item_id], field="item_id")

        async def work(tx: Tx) -> BaseModel:
            place = Place(body.site_id, body.item_id)
            done, level = await recall(tx, place, body.lot, body.quantity, body.reason)
            parcels = await store.parcels.PARCEL.get.all(tx.connection, keys=done.parcels)
            view = RecallView.of(done, {parcel.parcel_id: parcel for parcel in parcels}, caller)
            return RecallDone(**view.model_dump(), stock=_stock_view(level))

        return await once(work, status=201)

    @routes.get("/stock-recalls", tags=["stock"])
    async def recalls(request: Request, caller: StockReader, site: Slug | None = None) -> RecallList:
        """The 500 newest recalls, with every parcel that may contain the lot and where it is now."""
        _must_be_site(settings, site)
        async with reading(request) as connection:
            found = await store.lots.FIND_RECALLS.all(connection, site_id=site)
            keys = {parcel_id for one in found for parcel_id in one.parcels}
            parcels = await store.parcels.PARCEL.get.all(connection, keys=keys)
        by_id = {parcel.parcel_id: parcel for parcel in parcels}
        return RecallList(items=[RecallView.of(one, by_id, caller) for one in found])

    @routes.get("/stock", tags=["stock"])
    async def stock(request: Request, _caller: StockReader, site: Slug | None = None) -> StockList:
        """Levels by site and item."""
        _must_be_site(settings, site)
        async with reading(request) as connection:
            found = await store.stock.FIND.all(connection, site_id=site)
        return StockList(items=list(map(_stock_view, found)))

    @routes.get("/stock-corrections", tags=["stock"])
    async def corrections(request: Request, _caller: StockReader, site: Slug | None = None) -> CorrectionList:
        """The 500 newest corrections of the books, and why: counts, write-offs, recalls, and goods past their date."""
        _must_be_site(settings, site)
        async with reading(request) as connection:
            found = await store.stock.FIND_CORRECTIONS.all(connection, site_id=site)
        return CorrectionList(items=[CorrectionView.model_validate(one) for one in found])


async def _in_due_order(
    request: Request, paging: Paging, query: Query[Parcel], **which: Any
) -> Page[ParcelView]:
    due_at, parcel_id = paging.after(datetime, UUID)
    async with reading(request) as connection:
        found = await query.all(connection, due_at=due_at, parcel_id=parcel_id, limit=paging.rows, **which)
        referrals = await _referrals(connection, found)
    return paging.page(
        found,
        lambda parcel: ParcelView.of(parcel, referrals.get(parcel.referral_id)),
        lambda parcel: (parcel.due_at, parcel.parcel_id),
    )


async def _referrals(connection: Connection, parcels: Sequence[Parcel]) -> dict[UUID, Referral]:
    ids = {parcel.referral_id for parcel in parcels}
    found = await store.referrals.REFERRAL.get.all(connection, keys=list(ids)) if ids else []
    return {referral.referral_id: referral for referral in found}


def _parcel_routes(routes: Routes, settings: Settings) -> None:
    @routes.get("/parcels", tags=["parcels"])
    async def list_parcels(
        request: Request,
        caller: ParcelReader,
        paging: PageAsked,
        state: State | None = None,
        site: Slug | None = None,
        linked: Annotated[
            bool, Asked(description="only those whose resident another referral may be about, too")
        ] = False,
    ) -> Page[ParcelView]:
        """Parcels in due order."""
        _must_be_site(settings, site)
        hubs = caller.visible_hubs
        return await _in_due_order(
            request, paging, store.parcels.FIND, site_id=site, hubs=hubs, state=state, linked=linked
        )

    @routes.get("/parcel-notices", tags=["parcels"])
    async def list_notices(
        request: Request, caller: ParcelReader, paging: PageAsked, site: Slug | None = None
    ) -> Page[ParcelView]:
        """Parcels that a person must see to: stopped ones, and warnings that nobody has passed on. In due order."""
        _must_be_site(settings, site)
        hubs = caller.visible_hubs
        return await _in_due_order(request, paging, store.parcels.FIND_NOTICED, site_id=site, hubs=hubs)

    @routes.get("/back-orders", tags=["parcels"])
    async def list_back_orders(
        request: Request, caller: ParcelReader, paging: PageAsked, site: Slug | None = None
    ) -> Page[ParcelView]:
        """Parcels that missing items are to follow, in due order."""
        _must_be_site(settings, site)
        hubs = caller.visible_hubs
        return await _in_due_order(request, paging, store.parcels.FIND_OWED, site_id=site, hubs=hubs)

    @routes.post("/parcels/{parcel_id}/back-order", response_model=ParcelView, tags=["parcels"])
    async def settle_back_order(
        parcel_id: UUID, body: BackOrder, caller: ParcelWriter, once: OnceOnly
    ) -> Response:
        """Say that the missing items were sent, or that nobody needs them. 409 if they have not come in."""
        return await once(
            lambda tx: _step(
                tx,
                caller,
                parcel_id,
                lambda p: parcelling.settle_back_order(p, body.outcome, body.reason, caller.name, tx.now),
            )
        )

    @routes.post("/parcels/{parcel_id}/decision", response_model=ParcelView, tags=["parcels"])
    async def decide_stop(
        parcel_id: UUID, body: StopDecision, caller: ParcelWriter, once: OnceOnly
    ) -> Response:
        """Decide about a stopped parcel: keep it as it is, or pack it anew for what is known now."""
        return await once(
            lambda tx: _step(
                tx,
                caller,
                parcel_id,
                lambda p: parcelling.decide(p, body.decision, body.reason, caller.name, tx.now),
            )
        )

    @routes.post("/parcels/{parcel_id}/passed-on", response_model=ParcelView, tags=["parcels"])
    async def pass_on(parcel_id: UUID, body: PassedOn, caller: ParcelWriter, once: OnceOnly) -> Response:
        """Say that the driver, or the resident, was told about a change."""
        return await once(
            lambda tx: _step(
                tx, caller, parcel_id, lambda p: parcelling.pass_on(p, body.reason, caller.name, tx.now)
            )
        )

    @routes.get("/parcels/{parcel_id}", tags=["parcels"])
    async def get_parcel(request: Request, parcel_id: UUID, caller: ParcelReader) -> ParcelView:
        """One parcel with its lines."""
        async with reading(request) as connection:
            found = await store.parcels.PARCEL.get.first(connection, keys=[parcel_id])
            referrals = await _referrals(connection, [found] if found else [])
        parcel = caller.must_see(found)
        return ParcelView.of(parcel, referrals.get(parcel.referral_id))

    @routes.post("/parcels/{parcel_id}/picking", response_model=ParcelView, tags=["parcels"])
    async def pick(parcel_id: UUID, caller: ParcelWriter, once: OnceOnly) -> Response:
        """Start picking a reserved parcel. To send it again changes nothing."""
        return await once(
            lambda tx: _in_hand(
                tx, settings, caller, parcel_id, lambda p: parcelling.start_picking(p, tx.now)
            )
        )

    @routes.post("/parcels/{parcel_id}/diet-decision", response_model=ParcelView, tags=["parcels"])
    async def decide_diets(
        parcel_id: UUID, body: DietDecision, caller: ParcelWriter, once: OnceOnly
    ) -> Response:
        """Say which known diets the parcel must respect, after asking the resident. It then waits for stock."""
        return await once(
            lambda tx: _step(tx, caller, parcel_id, lambda p: parcelling.decide_diets(p, body.diets, tx.now))
        )

    @routes.post("/parcels/{parcel_id}/packing", response_model=ParcelView, tags=["parcels"])
    async def pack(
        parcel_id: UUID, caller: ParcelWriter, once: OnceOnly, body: Packing | None = None
    ) -> Response:
        """Pack a parcel in picking: its bags are ready. To send it again changes nothing."""
        counted = body or Packing()
        return await once(
            lambda tx: _in_hand(
                tx,
                settings,
                caller,
                parcel_id,
                lambda p: parcelling.pack(p, counted.bags, counted.weight_grams, tx.now),
            )
        )


async def _take_in(tx: Tx, body: StockReceipt) -> BaseModel:
    """Book a delivery. Raises InvalidError for goods past their date, and for a lot that was recalled."""
    today = tx.today
    recalls = {
        recall_id(Place(body.site_id, line.item_id), line.lot): number
        for number, line in enumerate(body.lines)
        if line.lot is not None
    }
    known = await store.lots.RECALLED.all(tx.connection, recall_ids=set(recalls))
    problems = [
        Problem(
            f"lines.{recalls[one.recall_id]}.lot", "recalled-lot", "This lot was recalled. Do not take it in."
        )
        for one in known
    ]
    for number, line in enumerate(body.lines):
        checked = line.date_check is not None
        if wrong := date_problem(line.item_id, line.use_by, line.best_before, checked, today):
            problems.append(Problem(f"lines.{number}.{wrong.field}", wrong.code, wrong.message))
    if problems:
        raise InvalidError.of(*problems)
    receipt_id, stock = new_id(), Stock(tx)
    await stock.lock_places(Place(body.site_id, line.item_id) for line in body.lines)
    for line in body.lines:
        checked = line.date_check is not None
        until = usable_until(line.item_id, line.use_by, line.best_before, checked, today)
        lot = Lot(new_id(), body.site_id, line.item_id, tx.now, line.quantity, line.lot, until)
        receipt = Movement(
            *lot.place,
            MoveKind.RECEIVED,
            line.quantity,
            receipt_id,
            line.lot,
            line.use_by or line.best_before,
            lot.lot_id,
        )
        stock.receive(lot, receipt)
    await stock.save()
    return _receipt_view(receipt_id, body.site_id, body.lines, stock)


async def _throw_away(tx: Tx, body: StockWaste) -> BaseModel:
    write_off_id, stock = new_id(), Stock(tx)
    await stock.lock_places(Place(body.site_id, line.item_id) for line in body.lines)
    for line in body.lines:
        stock.move(
            Movement(
                body.site_id,
                line.item_id,
                MoveKind.WASTED,
                line.quantity,
                write_off_id,
                line.lot,
                reason=body.reason,
            )
        )
    await stock.save()
    return _receipt_view(write_off_id, body.site_id, body.lines, stock)


def _receipt_view(
    receipt_id: UUID, site_id: str, lines: Sequence[ReceiptLine | WasteLine], stock: Stock
) -> ReceiptView:
    places = sorted({Place(site_id, line.item_id) for line in lines})
    return ReceiptView(receipt_id=receipt_id, items=[_stock_view(stock[place]) for place in places])


async def _in_hand(
    tx: Tx, settings: Settings, caller: Caller, parcel_id: UUID, decide: Callable[[Parcel], Step[Parcel]]
) -> BaseModel:
    """A step of whoever has the parcel in hand, who may then read at intake where it goes."""
    view = await _step(tx, caller, parcel_id, decide)
    grant = Grant(
        holder=caller.name,
        purpose="delivery_label",
        subjects=(view.referral_id,),
        granted_at=tx.now,
        expires_at=tx.now + parcelling.LABEL_WITHIN,
    )
    return view.model_copy(update={"grant": settings.grant_keys.sign(grant)})


async def _step(
    tx: Tx, caller: Caller, parcel_id: UUID, decide: Callable[[Parcel], Step[Parcel]]
) -> ParcelView:
    parcels = Parcels(tx)
    await parcels.lock_keys([parcel_id])
    parcel = parcels.put(decide(caller.must_see(parcels.get(parcel_id))))
    await parcels.save()
    referrals = await _referrals(tx.connection, [parcel])
    return ParcelView.of(parcel, referrals.get(parcel.referral_id))


def _must_be_site(settings: Settings, site_id: str | None) -> None:
    """Raise InvalidError for a site that does not exist."""
    if site_id is not None and site_id not in settings.sites:
        raise InvalidError.of(Problem("site", "unknown-site", "no such site"))


def _must_be_known(
    settings: Settings, site_id: str, item_ids: Sequence[str], field: str = "lines.{}.item_id"
) -> None:
    """Raise InvalidError if the site or an item is unknown. It names all of them at once."""
    problems = [
        Problem(field.format(place), "unknown-item", "no such item")
        for place, item_id in enumerate(item_ids)
        if item_id not in ITEMS
    ]
    if site_id not in settings.sites:
        problems.insert(0, Problem("site_id", "unknown-site", "no such site"))
    if problems:
        raise InvalidError.of(*problems)


def _stock_view(level: Level) -> StockView:
    return StockView(
        site_id=level.site_id,
        item_id=level.item_id,
        unit=level.unit,
        received=level.received,
        on_hand=level.on_hand,
        reserved=level.reserved,
        free=level.free,
        issued=level.issued,
        wasted=level.wasted,
        low=level.free < level.low_below,
    )
