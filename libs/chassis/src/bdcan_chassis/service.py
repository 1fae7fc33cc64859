"""A service as the chassis sees it: its consumers, deadlines, planners, gateways and routes, and how they are wired.

A service's `app.py` returns one Service and is the only place where things are wired.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from uuid import UUID

from fastapi import FastAPI

from bdcan_chassis.clock import Clock, parse_clock
from bdcan_chassis.database import open_pool
from bdcan_chassis.deadlines import DeadlineHandler
from bdcan_chassis.erasure import Eraser
from bdcan_chassis.heartbeat import describe_process
from bdcan_chassis.housekeeping import Sample
from bdcan_chassis.http.app import create_api
from bdcan_chassis.http.dead_letters import dead_letter_router
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.rights import rights_router
from bdcan_chassis.passes import Gateway, Planner
from bdcan_chassis.retention import CHASSIS_KEPT, Kept, periods
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.subscription import Consumer
from bdcan_chassis.tracing import Tracer, open_tracer
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import Catalogue
from bdcan_contracts.upstreams import Upstreams

SERVERS = frozenset({"api", "worker"})
"""The verbs that run until somebody stops them."""

Command = Callable[[Transactions, list[str]], Awaitable[int]]
"""An extra verb of a service's command line: gets the arguments after the verb, returns the exit code."""


@dataclass(frozen=True)
class Service:
    """One service. `package` is its Python package, whose `store/migrations` hold its SQL."""

    name: str
    package: str
    title: str
    settings: ServiceSettings
    catalogue: Catalogue
    personal_fields: frozenset[str]
    consumers: tuple[Consumer, ...] = ()
    deadlines: Mapping[str, DeadlineHandler] = field(default_factory=dict)
    planners: tuple[Planner, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    urgent_loops: frozenset[str] = frozenset()
    """The loops on which the safety of people depends, by the names that `pauses.loops_of` gives."""
    samples: tuple[Sample, ...] = ()
    routers: tuple[Routes, ...] = ()
    domain_errors: Mapping[type[Exception], int] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()
    """The kinds of record that this service keeps, in the order in which they end."""
    eraser: Eraser | None = None
    """How this service erases a person; None: it holds nothing about people."""
    upstreams: Callable[[], Upstreams] = Upstreams
    """The upstream systems as they are now, for a service that deals with them."""

    @property
    def clock(self) -> Clock:
        """The clock that the settings name."""
        return parse_clock(self.settings.clock)

    @property
    def traffic_classes(self) -> tuple[str, ...]:
        """The traffic classes of the topics that this service writes. Each has a relay."""
        return tuple(sorted({t.traffic_class for t in self.catalogue.topics if self.name in t.writers}))

    @property
    def migration_packages(self) -> list[str]:
        """The packages that hold migrations, in the order in which they are applied."""
        return ["bdcan_chassis", f"{self.package}.store"]

    @property
    def erase_again(self) -> Callable[[Tx, Collection[UUID]], Awaitable[None]] | None:
        """What a transaction does that has handled an event about somebody who was erased."""
        return self.eraser.again if self.eraser else None

    @property
    def all_kept(self) -> tuple[Kept, ...]:
        """The kinds of record that are kept, with the chassis's own."""
        return (*self.kept, *CHASSIS_KEPT)

    @property
    def kept_for(self) -> dict[str, timedelta]:
        """How long each kind is kept. Raises ConfigurationError."""
        return periods(self.all_kept, self.settings.retention)

    async def open(self, process: str) -> Transactions:
        """Connect to the database; the caller closes `transactions.pool`."""
        settings = self.settings
        pool = await open_pool(
            settings.database_url.get_secret_value(),
            settings.database_pool_size,
            f"bdcan.{self.name}.{process}",
        )
        describe_process(settings, version("bdcan-chassis"), self.clock, pool)
        return Transactions(
            pool,
            self.clock,
            self.name,
            self.catalogue,
            self.deadlines,
            settings.calendar,
            self.erase_again,
            self.upstreams,
            self.tracer(process),
        )

    def tracer(self, process: str) -> Tracer | None:
        """What traces a server's work, if the settings name a collector."""
        if process not in SERVERS:
            return None
        return open_tracer(self.settings, self.name, process, version("bdcan-chassis"))

    def api(self, transactions: Transactions) -> FastAPI:
        """The service's API: its own routes and the common ones."""
        routers = (
            *self.routers,
            rights_router(self.name, self.kept, self.eraser and self.eraser.known_as),
            dead_letter_router(),
        )
        return create_api(self.title, self.settings, transactions, routers, self.domain_errors)
