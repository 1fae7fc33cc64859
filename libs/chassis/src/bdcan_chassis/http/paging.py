"""Lists, page by page.

The cursor holds the sort values of a page's last item, not its id. If that row moves, the next page still
skips and repeats nothing else.

    @routes.get("/parcels")
    async def parcels(request: Request, caller: Reader, paging: PageAsked) -> Page[ParcelView]:
        due_at, parcel_id = paging.after(datetime, UUID)
        async with reading(request) as connection:
            found = await store.FIND.all(connection, due_at=due_at, parcel_id=parcel_id, limit=paging.rows)
        return paging.page(found, ParcelView.of, lambda parcel: (parcel.due_at, parcel.parcel_id))

The query has `(:due_at::timestamptz IS NULL OR (due_at, parcel_id) > (:due_at, :parcel_id::uuid))`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from bdcan_chassis.http.problems import InvalidError
from bdcan_contracts.envelope import Problem

R = TypeVar("R")
V = TypeVar("V", bound=BaseModel)

MOST = 1000
"""Items of one page at most."""


class Page(BaseModel, Generic[V]):
    """A page of a list. Send `next` as `after` for the page that follows. The last page has no `next`."""

    items: list[V]
    next: str | None = Field(default=None, exclude_if=lambda cursor: cursor is None)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page a caller asks for."""

    limit: int
    cursor: str | None

    @property
    def rows(self) -> int:
        """How many rows to read: one more than the page has, which tells whether another page follows."""
        return self.limit + 1

    def after(self, *kinds: Any) -> tuple[Any, ...]:
        """The sort values after which the page begins, as these types. For the first page each of them is None.

        Raises InvalidError for a cursor of another list.
        """
        if self.cursor is None:
            return (None,) * len(kinds)
        try:
            packed = urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            return msgspec.json.decode(packed, type=tuple[kinds])
        except (ValueError, msgspec.MsgspecError) as error:
            raise InvalidError.of(
                Problem("query.after", "bad-cursor", "send the `next` of the page before")
            ) from error

    def page(
        self, found: Sequence[R], view: Callable[[R], V], sorted_by: Callable[[R], tuple[Any, ...]]
    ) -> Page[V]:
        """The page of these rows. `sorted_by` gives a row's sort values, as the query has them."""
        shown = found[: self.limit]
        more = len(found) > self.limit
        return Page(items=[view(row) for row in shown], next=_packed(sorted_by(shown[-1])) if more else None)


async def _asked(
    limit: Annotated[int, Query(ge=1, le=MOST, description="items of one page at most")] = 100,
    after: Annotated[str | None, Query(max_length=400, description="`next` of the page before")] = None,
) -> Paging:
    return Paging(limit, after)


PageAsked: TypeAlias = Annotated[Paging, Depends(_asked)]
"""A route's parameter."""


def _packed(values: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")
