"""What all routes share: which hubs a list may show, and for which volunteer a caller speaks."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.problems import ForbiddenError, InvalidError
from bdcan_contracts.envelope import Problem
from bdcan_volunteer_match import store
from bdcan_volunteer_match.domain.volunteer import Volunteer


def hubs_to_show(caller: Caller, hub: str | None) -> list[str] | None:
    """The hubs that a list is about; None for all. Raises NotFoundError for a hub that the caller does not see."""
    if hub is None:
        return caller.visible_hubs
    caller.must_see_hub(hub)
    return [hub]


async def must_be_hub(connection: Connection, hub: str | None) -> None:
    """Raise InvalidError where a list is asked for by a hub that does not exist, and say which do."""
    if hub is None:
        return
    known = [one.hub_id for one in await store.hubs.FIND.all(connection)]
    if known and hub not in known:
        raise InvalidError.of(Problem("hub", "unknown", f"is not a hub: choose one of {', '.join(known)}"))


def speaks_for(caller: Caller, named: UUID | None) -> UUID:
    """The volunteer for whom a caller speaks. Raises ForbiddenError where a volunteer speaks for another one.

    A volunteer's account speaks for that volunteer alone; anybody else names the volunteer, whom they must see.
    """
    if caller.volunteer_id is None:
        if named is None:
            raise InvalidError.of(Problem("volunteer_id", "missing", "is missing: who says so?"))
        return named
    if named not in (None, caller.volunteer_id):
        raise ForbiddenError("You speak for yourself only: leave volunteer_id out.")
    return caller.volunteer_id


def sees_volunteer(caller: Caller, volunteer: Volunteer | None) -> bool:
    """Whether a caller may know of a volunteer: their own account, and the people of one of their hubs.

    Whoever has enquired belongs to no hub yet, and is seen by the people of every hub.
    """
    if volunteer is None:
        return False
    if caller.volunteer_id is not None:
        return caller.volunteer_id == volunteer.volunteer_id
    if not volunteer.hub_ids:
        return caller.visible_hubs != []
    return any(caller.sees_hub(hub_id) for hub_id in volunteer.hub_ids)


async def known_volunteer(
    connection: Connection, volunteer_id: UUID, caller: Caller, also: Collection[UUID | None] = ()
) -> Volunteer:
    """The volunteer of that id. Raises InvalidError where it is nobody's whom the caller may know of.

    `also`: others whom the caller may know of, such as a volunteer of another hub who has a task of theirs.
    """
    found = await store.volunteers.VOLUNTEER.get.first(connection, keys=[volunteer_id])
    if found is None or not (volunteer_id in also or sees_volunteer(caller, found)):
        raise InvalidError.of(
            Problem("volunteer_id", "unknown", "is not the id of a volunteer: see the list of volunteers")
        )
    return found
