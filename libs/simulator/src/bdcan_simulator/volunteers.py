"""The volunteers of a fictitious borough: how many, what they will do, and how they answer an offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from bdcan_contracts.vocabulary import TaskKind
from bdcan_simulator import names

ACCEPTS = 0.85
FAILS = 0.03
NOTICES_A_CONCERN = 0.004
"""Shares: offers accepted, accepted tasks that fail at the first try, tasks at which something worrying is seen."""

_NEEDS_DBS = (TaskKind.SHOPPING, TaskKind.PRESCRIPTION, TaskKind.TRANSPORT)
_ANYONE = (
    TaskKind.PARCEL_DELIVERY,
    TaskKind.BEFRIENDING_CALL,
    TaskKind.ERRAND,
    TaskKind.LEAFLETTING,
    TaskKind.DOORSTEP_VISIT,
)


@dataclass(frozen=True, slots=True)
class Volunteer:
    """One person who offers help. Nothing here is about anybody real."""

    number: int
    name: str
    phone: str
    email: str
    hub_ids: tuple[str, ...]
    task_kinds: tuple[TaskKind, ...]
    dbs_cleared: bool
    has_car: bool
    enquires: bool
    """Whether they ask at the front door first; the others are signed up by their hub."""


def how_many(referrals: int) -> int:
    """So many volunteers for so many referrals: about one for four (348 for 1,260 in April 2020), 900 at most."""
    return max(63, min(900, referrals * 28 // 100))


def recruit(seed: int, number: int, hub_id: str) -> Volunteer:
    """Somebody whom a coordinator finds for a hub when a task is left over: cleared, and ready for anything."""
    random = Random(f"{seed}/recruit/{number}")  # noqa: S311 # a play, no secret
    name = names.full_name(random)
    return Volunteer(
        number=number,
        name=name,
        phone=names.phone(random),
        email=names.email(name, number),
        hub_ids=(hub_id,),
        task_kinds=(*_ANYONE, *_NEEDS_DBS),
        dbs_cleared=True,
        has_car=True,
        enquires=False,
    )


def volunteers(seed: int, count: int, hub_ids: tuple[str, ...]) -> Iterator[Volunteer]:
    """`count` volunteers spread evenly over the hubs; the first three of each hub are cleared for every kind of task."""
    for number in range(count):
        random = Random(f"{seed}/volunteer/{number}")  # noqa: S311 # a play, no secret
        first_ones = number < 3 * len(hub_ids)
        cleared = first_ones or random.random() < 0.55
        hub = hub_ids[number % len(hub_ids)]
        neighbour = random.choice(hub_ids)
        name = names.full_name(random)
        kinds = [kind for kind in _ANYONE if first_ones or random.random() < 0.8] or [TaskKind.ERRAND]
        kinds += [kind for kind in _NEEDS_DBS if cleared and (first_ones or random.random() < 0.8)]
        yield Volunteer(
            number=number,
            name=name,
            phone=names.phone(random),
            email=names.email(name, number),
            hub_ids=(hub, neighbour) if random.random() < 0.25 and neighbour != hub else (hub,),
            task_kinds=tuple(kinds),
            dbs_cleared=cleared,
            has_car=random.random() < 0.6,
            enquires=random.random() < 0.7,
        )


def chance(*parts: object) -> float:
    """A number from 0 to 1 that is always the same for the same parts: a decision that survives a retry."""
    digest = sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
