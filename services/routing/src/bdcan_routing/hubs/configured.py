"""Reads a file of hubs and checks all of it. The shipped file is an example."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http.bodies import Slug
from bdcan_routing.domain.hubs import HubPlan, Open
from bdcan_routing.domain.wards import WARDS

_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class _Open(BaseModel):
    model_config = ConfigDict(extra="forbid")
    weekday: Annotated[int, Field(ge=1, le=7)]
    opens: Annotated[str, Field(pattern=_TIME)]
    closes: Annotated[str, Field(pattern=_TIME)]


class _Hub(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Slug
    name: Annotated[str, Field(min_length=1, max_length=100)]
    wards: Annotated[list[str], Field(min_length=1, max_length=50)]
    cover: list[Slug] = []
    neighbours: list[Slug] | None = None
    capacity: dict[Slug, Annotated[int, Field(ge=1, le=100_000)]] = {}
    hours: list[_Open] = []


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    illustrative: bool = False
    hub: Annotated[list[_Hub], Field(min_length=1)]


def configured_hubs(path: Path | None) -> list[HubPlan]:
    """The hubs of a file (None: the shipped one).

    Raises ConfigurationError: the file cannot be read, names a ward that the borough does not have, gives a
    ward to two hubs, or names a cover or a neighbour that it does not define.
    """
    try:
        text = (
            path.read_text("utf-8")
            if path
            else (files("bdcan_routing.hubs") / "illustrative.toml").read_text("utf-8")
        )
        read = _File.model_validate(tomllib.loads(text))
    except (OSError, ValidationError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the file of hubs cannot be read: {error}") from error
    owner: dict[str, str] = {}
    known = {hub.id for hub in read.hub}
    faults = ["two hubs have the same id"] if len(known) != len(read.hub) else []
    for hub in read.hub:
        faults += [f"{hub.id}: the borough has no ward {gss}" for gss in hub.wards if gss not in WARDS]
        faults += [f"{hub.id}: {owner[gss]} covers {gss} already" for gss in hub.wards if gss in owner]
        faults += [
            f"{hub.id}: the file does not define its {what} {other}"
            for what, others in (("cover", hub.cover), ("neighbour", hub.neighbours or []))
            for other in others
            if other not in known
        ]
        faults += [f"{hub.id}: it is no neighbour of its own"] if hub.id in (hub.neighbours or []) else []
        owner |= dict.fromkeys(hub.wards, hub.id)
    if faults:
        raise ConfigurationError("the file of hubs is wrong: " + "; ".join(faults))
    return [
        HubPlan(
            h.id,
            h.name,
            tuple(WARDS[gss] for gss in h.wards),
            tuple(h.cover),
            read.illustrative,
            None if h.neighbours is None else tuple(h.neighbours),
            h.capacity,
            tuple(Open(one.weekday, one.opens, one.closes) for one in h.hours),
        )
        for h in read.hub
    ]
