"""A state change: the shape that every domain function of every service returns.

A domain function takes the state (None if there is none yet), what happened, and the time. It returns a Step and changes
nothing. A `Book` (see `book`) writes all of the step. This module imports no I/O, so a domain may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from msgspec import Struct
from pydantic import BaseModel

S = TypeVar("S")

_NONE: Mapping[str, datetime | None] = MappingProxyType({})


class Step(Struct, Generic[S], frozen=True):
    """The new state, its events, and the deadlines that it sets or cancels.

    `deadlines` maps a kind of deadline to its new time; None cancels it. A kind that is left out stays as it is.
    """

    state: S
    events: tuple[BaseModel, ...] = ()
    deadlines: Mapping[str, datetime | None] = _NONE
