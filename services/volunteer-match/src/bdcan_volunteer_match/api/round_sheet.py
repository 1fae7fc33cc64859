"""The sheet of a round. Intake discloses each name to whoever prints, by their own account: each look is in its audit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fastapi import Request, Response

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.http.auth import API_KEY_HEADER, Caller
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.grants import granted
from bdcan_volunteer_match.domain.drops import Means, Stop
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.rounds import Progress, Round, RoundState, progress
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.sheet import Sheet, SheetStop, render
from bdcan_volunteer_match.upstream import Told, disclosures

_BY = {Means.CAR: "by car", Means.BICYCLE: "by bicycle", Means.FOOT: "on foot"}
_WITH_CARE = "This sheet says who people are. Show it to nobody, and give it back to the hub."


async def print_sheet(
    request: Request, round_: Round, tasks: dict[UUID, Task], caller: Caller, settings: Settings
) -> Response:
    """The PDF of what is still to be done. Raises NotAllowedError, and UnavailableError without intake."""
    if round_.state is not RoundState.CONFIRMED:
        raise NotAllowedError(
            "round-not-confirmed", "Confirm the round first: its tasks are nobody's before."
        )
    now = transactions_of(request).clock.now()
    to_do = [stop for stop in round_.stops if progress(round_, tasks.get(stop.task_id)) is Progress.TO_DO]
    if not to_do:
        raise NotAllowedError("nothing-to-do", "Nothing of this round is left to do.")
    asked = [
        {
            "purpose": "task",
            "reason": "round sheet",
            "task_id": str(stop.task_id),
            "volunteer_id": str(round_.volunteer_id),
            "grant": granted(tasks[stop.task_id], caller, settings, now),
        }
        for stop in to_do
    ]
    sent = request.headers
    own = {name: sent[name] for name in ("Authorization", API_KEY_HEADER) if name in sent}
    told = await disclosures(settings, own, asked)
    async with reading(request) as connection:
        hub = await store.hubs.HUB.get.first(connection, keys=[round_.hub_id])
    sheet = sheet_of(
        round_, to_do, tasks, told, hub.name if hub else round_.hub_id, transactions_of(request).calendar
    )
    pdf = await asyncio.to_thread(render, sheet)
    name = f"round-{round_.leaves_at.date().isoformat()}.pdf"
    return Response(
        pdf, 200, {"Content-Disposition": f'inline; filename="{name}"'}, media_type="application/pdf"
    )


def sheet_of(
    round_: Round,
    stops: Sequence[Stop],
    tasks: dict[UUID, Task],
    told: Sequence[Told],
    hub: str,
    calendar: Calendar,
) -> Sheet:
    """What is printed. Times are local."""

    def clock(at: datetime) -> str:
        return calendar.local(at).strftime("%H:%M")

    day = calendar.local(round_.leaves_at)
    title = f"Round on {day:%A} {day.day} {day:%B %Y}"
    start = ", ".join(filter(None, (round_.start_name, round_.start)))
    return Sheet(
        title=title,
        hub=hub,
        description=f"{len(stops)} stops in their order, with names, addresses and what to bring",
        footer="Shred it afterwards.",
        facts=(
            f"Leave {start} at {clock(round_.leaves_at)} {_BY[round_.means]}.",
            f"Back at about {clock(round_.back_at)}, at {clock(round_.back_by)} at the latest.",
            f"{len(stops)} {'stop' if len(stops) == 1 else 'stops'}, about {round_.metres / 1000:.1f} km.",
        ),
        notes=(_WITH_CARE,),
        stops=tuple(
            _printed(number, clock(stop.arrive_at), stop, tasks[stop.task_id], one)
            for number, (stop, one) in enumerate(zip(stops, told, strict=True), 1)
        ),
    )


def _printed(number: int, at: str, stop: Stop, task: Task, told: Told) -> SheetStop:
    said = told.fields
    lines = [f"To do: {said['what']}"] if said.get("what") else []
    lines += [f"How to get in: {said['access']}"] if said.get("access") else []
    lines += [f"Say: {said['say']}"] if said.get("say") else []
    lines += [f"Note: {said['notes']}"] if said.get("notes") else []
    if said.get("notes_withheld"):
        lines.append("There are notes that are not for print: ask the coordinator.")
    if stop.rough:
        lines.append("Nobody knows exactly where this is: look at a map before you leave.")
    address = "\n".join(filter(None, (said.get("address"), said.get("postcode"))))
    return SheetStop(
        number=number,
        at=at,
        name=said.get("name") or "No name",
        address=address,
        phone=said.get("phone") or "",
        bring=_bring(task),
        lines=tuple(lines),
        warnings=(
            *((told.refused,) if told.refused else ()),
            *(_WARNINGS.get(one, f"{one} changed after the task was accepted.") for one in task.warnings),
        ),
    )


_WARNINGS = {
    "parcel-stopped": "The food hub has stopped this parcel. Ask the coordinator before you take it."
}


def _bring(task: Task) -> str:
    if task.kind == TaskKind.PARCEL_DELIVERY and task.parcel_id is not None:
        return f"the food parcel {str(task.parcel_id)[:8].upper()}"
    return "medicines from the pharmacy" if task.kind == TaskKind.PRESCRIPTION else task.kind
