"""The demand pulse: how much of what is asked for where, compared with the hours before.

A true Faust app beside the worker. One agent reads our assignments and hands on one count for each hub, ward
and need; the other keeps them in windowed tables whose changelogs are on Kafka, and publishes where demand surges and
settles. It is advisory: Faust acknowledges at least what it has seen and sometimes what it has lost, so a crash may
bend a curve; nothing durable hangs on it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import faust
import mode
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import EventT
from faust.types.auth import SASLMechanism
from pydantic import BaseModel, ValidationError

from bdcan_chassis.database import backoff_seconds
from bdcan_chassis.errors import ChassisError
from bdcan_chassis.ids import new_id
from bdcan_chassis.kafka import connection_options
from bdcan_chassis.logs import configure_logging, get_logger
from bdcan_chassis.service import Service
from bdcan_chassis.signals import handle, ignore
from bdcan_chassis.worker import serve_ops
from bdcan_contracts.catalogue import ASSIGNMENTS, CATALOGUE, DEMAND_SIGNALS, OUTREACH_ASSIGNMENTS
from bdcan_contracts.envelope import EnvelopeError, decode, encode_body, encode_headers, source_of
from bdcan_contracts.models import DemandScope, DemandSettled, DemandSurged, Lane, ReferralAssigned
from bdcan_routing.app import service
from bdcan_routing.domain.demand import Change, expected, judge
from bdcan_routing.metrics import PULSE_COUNTED, PULSE_SKIPPED, PULSE_SURGES
from bdcan_routing.settings import Settings

log = get_logger(__name__)

APP_ID = "bdcan.routing.pulse"
"""Prefix of its consumer group and of the topics that it makes for itself; the ACLs know it."""

HISTORY = 8
"""Windows before the present one that say what is usual."""

_BATCH = 500
_BATCH_SECONDS = 1.0
_TICK_SECONDS = 5.0


class Key(NamedTuple):
    """What is counted. As text: `ward:E05014066:food:food-parcel`."""

    scope: DemandScope
    scope_id: str
    lane: Lane
    code: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.scope_id}:{self.lane}:{self.code}"

    @classmethod
    def read(cls, text: str) -> Key:
        """The inverse of `str()`."""
        scope, scope_id, lane, code = text.split(":")
        return cls(DemandScope(scope), scope_id, Lane(lane), code)


class Demand(faust.Record, serializer="json"):
    """So many requests at about that time (epoch seconds of domain time). None at all: time has passed."""

    count: int
    at: float


class _OwnTopicsOnly(faust.Topic):
    """Faust would make every topic that it reads; the catalogue's are not ours to make."""

    async def declare(self) -> None:
        if all(topic.startswith(APP_ID) for topic in self.topics):
            await super().declare()


class IdleIsNoFault(logging.Filter):
    """Lets Faust's error about a stopped stream pass only where it is said of the same partition twice in a row.

    Faust compares the end of a partition with the time of its last record. Where nothing came for a while, the first new
    record therefore makes a healthy stream look stopped, until it is read a moment later.
    """

    _AGAIN_SECONDS = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is an error."""
        if "Stream stopped processing" not in str(record.msg):
            return True
        place = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
        before, self._said[place] = self._said.get(place), record.created
        return before is not None and record.created - before < self._AGAIN_SECONDS


class _NoWeb(BootStrategy):
    """The command line's default would start Faust's web server whatever the settings say."""

    enable_web = False


def keys_of(event: ReferralAssigned) -> list[Key]:
    """What one assignment counts for."""
    places = [(DemandScope.HUB, event.hub_id)]
    if event.ward is not None:
        places.append((DemandScope.WARD, event.ward.gss))
    return [Key(scope, place, need.lane, need.code) for need in event.needs for scope, place in places]


def tally(events: Sequence[EventT[bytes]], window: timedelta) -> dict[tuple[Key, float], int]:
    """Requests of a batch by key and by start of window. What cannot be read is counted and passed over."""
    size = window.total_seconds()
    counts: Counter[tuple[Key, float]] = Counter()
    for event in events:
        message = event.message
        given = message.headers or ()
        headers = list(given.items() if isinstance(given, Mapping) else given)
        try:
            read = decode(CATALOGUE, message.topic, message.key, headers, event.value)
        except EnvelopeError as error:
            PULSE_SKIPPED.labels(error.reason).inc()
            continue
        if isinstance(read.data, ReferralAssigned):
            at = read.data.assigned_at.timestamp()
            for key in keys_of(read.data):
                counts[key, at - at % size] += 1
    return dict(counts)


def make_app(settings: Settings, routing: Service) -> faust.App:
    """The Faust app, ready to be run by a worker."""
    options = connection_options(settings)
    app = faust.App(
        APP_ID,
        broker=[f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        broker_credentials=faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=SASLMechanism(options["sasl_mechanism"]),
            ssl_context=options["ssl_context"],
        ),
        store="memory://",  # the changelog is the store: it is read again at start, and small
        datadir=settings.data_dir,  # one process each: Faust does not lock it
        Topic=_OwnTopicsOnly,
        topic_partitions=ASSIGNMENTS.partitions,
        topic_replication_factor=settings.pulse_replicas,
        topic_disable_leader=True,
        producer_acks=-1,
        broker_session_timeout=20,  # so long the place of a killed process is kept, and its successor waits
        broker_heartbeat_interval=3,
        stream_wait_empty=False,
        web_enabled=False,
        autodiscover=False,
    )
    app.boot_strategy = _NoWeb(app)
    _Pulse(app, settings, routing)
    return app


class _Pulse:
    """The agents and tables of one app."""

    def __init__(self, app: faust.App, settings: Settings, routing: Service) -> None:
        self._window = settings.pulse_window
        self._sensitivity = settings.sensitivity
        self._clock = routing.clock
        self._demand = app.topic(f"{APP_ID}-demand", key_type=str, value_type=Demand, internal=True)
        self._signals = app.topic(DEMAND_SIGNALS.name, key_serializer="raw", value_serializer="raw")
        self._counts: Any = app.Table("counts", default=int, key_type=str, value_type=int).tumbling(
            self._window, expires=self._window * (HISTORY + 2), key_index=False
        )
        self._surging = app.Table("surging", default=float, key_type=str, value_type=float)
        assigned = app.topic(
            ASSIGNMENTS.name,
            OUTREACH_ASSIGNMENTS.name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.agent(assigned, name="read-assignments")(self._read)
        app.agent(self._demand, name="count-demand")(self._count)
        app.timer(_TICK_SECONDS, name="tick")(self._tick)
        app.service(_ops(app, routing))

    async def _read(self, stream: Any) -> None:
        async for events in stream.take_events(_BATCH, within=_BATCH_SECONDS):
            for (key, at), count in tally(events, self._window).items():
                await self._demand.send(key=str(key), value=Demand(count=count, at=at))

    async def _count(self, stream: Any) -> None:
        async for text, demand in stream.items():
            at = datetime.fromtimestamp(demand.at, UTC)
            if demand.count:
                self._counts.relative_to(at)[text] += demand.count
                key = Key.read(text)
                PULSE_COUNTED.labels(key.scope, key.scope_id).inc(demand.count)
            await self._judge(text, at)

    async def _judge(self, text: str, at: datetime) -> None:
        key, size = Key.read(text), self._window.total_seconds()
        start = datetime.fromtimestamp(at.timestamp() - at.timestamp() % size, UTC)
        since = self._surging[text]
        if since and since < start.timestamp():
            last = start - self._window
            count, history = self._seen(text, last), self._history(text, last)
            change = judge(count, history, surging=True, over=True, sensitivity=self._sensitivity)
            if change is Change.SETTLED:
                self._surging[text] = 0.0
                await self._publish(
                    DemandSettled(
                        scope=key.scope,
                        scope_id=key.scope_id,
                        code=key.code,
                        lane=key.lane,
                        settled_at=start,
                        count=count,
                    )
                )
        count, history = self._seen(text, start), self._history(text, start)
        surging = bool(self._surging[text])
        if judge(count, history, surging=surging, over=False, sensitivity=self._sensitivity) is Change.SURGED:
            self._surging[text] = start.timestamp()
            PULSE_SURGES.inc()
            await self._publish(
                DemandSurged(
                    scope=key.scope,
                    scope_id=key.scope_id,
                    code=key.code,
                    lane=key.lane,
                    window_start=start,
                    window_minutes=int(self._window / timedelta(minutes=1)),
                    count=count,
                    expected=round(expected(history), 2),
                )
            )

    async def _tick(self) -> None:
        """Time passes also where nobody asks for anything any more: a surge must be able to end."""
        now = self._clock.now().timestamp()
        for text, since in list(self._surging.items()):
            if since:
                await self._demand.send(key=text, value=Demand(count=0, at=now))

    def _seen(self, text: str, start: datetime) -> int:
        windows = self._counts.relative_to(start)
        # looked for first: to read a window that is not there would make it, and nothing expires those
        return windows[text].value() if text in windows else 0

    def _history(self, text: str, start: datetime) -> list[int]:
        return [self._seen(text, start - self._window * back) for back in range(1, HISTORY + 1)]

    async def _publish(self, signal: BaseModel) -> None:
        event_type = CATALOGUE.of(type(signal))
        subject = event_type.subject_of(signal)
        headers = encode_headers(
            event_type, new_id(), source_of("routing"), subject, self._clock.now(), traceparent=None
        )
        await self._signals.send(key=subject.encode(), value=encode_body(signal), headers=headers)
        log.info("pulse.signal", type=event_type.type, subject=subject)


def _ops(app: faust.App, routing: Service) -> type[mode.Service]:
    """The ops door, as a part of the app."""

    class Ops(mode.Service):
        async def on_start(self) -> None:
            self._stopping = asyncio.Event()
            self._serving = asyncio.create_task(
                serve_ops(routing, {"pulse": self._ready}, self._stopping), name="ops"
            )
            self._serving.add_done_callback(self._ended)

        async def on_stop(self) -> None:
            self._stopping.set()
            await asyncio.wait([self._serving], timeout=5)

        async def _ready(self) -> str | None:
            if not app.started or app.rebalancing or not app.assignor.assigned_actives():
                return "joining the group"
            tables: Any = app.tables  # the interface of faust.types is behind the class
            return None if tables.recovery.completed.is_set() else "reading the changelogs"

        def _ended(self, task: asyncio.Task[None]) -> None:
            if not self._stopping.is_set() and not task.cancelled() and (error := task.exception()):
                asyncio.ensure_future(self.crash(error))  # noqa: RUF006 # mode holds on to what it stops for

    return Ops


async def make_topics(settings: Settings) -> None:
    """Make the app's own topics, and wait until every topic that it reads can be read.

    Faust makes its topics as it starts, too late: one that is not yet in the cluster's metadata when it joins its
    group is ignored for minutes, and a table without its changelog crashes its agent over and over.
    """
    kept = str(int(timedelta(days=2) / timedelta(milliseconds=1)))
    own = {
        f"{APP_ID}-demand": {"retention.ms": kept},
        f"{APP_ID}-counts-changelog": {"cleanup.policy": "compact,delete", "retention.ms": kept},
        f"{APP_ID}-surging-changelog": {"cleanup.policy": "compact"},
    }
    new = [
        NewTopic(name, ASSIGNMENTS.partitions, settings.pulse_replicas, topic_configs=config)
        for name, config in own.items()
    ]
    attempt = 0
    while True:
        admin = AIOKafkaAdminClient(**connection_options(settings))
        try:
            await admin.start()
            await admin.create_topics(new)
            described = await admin.describe_topics([*own, ASSIGNMENTS.name, OUTREACH_ASSIGNMENTS.name])
            if all(not topic["error_code"] and _led(topic) for topic in described):
                return
            log.info("pulse.waiting", why="topics", attempt=attempt)
        except (KafkaError, OSError) as error:
            log.warning("pulse.waiting", why=type(error).__name__, attempt=attempt)
        finally:
            await admin.close()
        attempt += 1
        await asyncio.sleep(backoff_seconds(attempt, most=5))


def _led(topic: Mapping[str, Any]) -> bool:
    return all(partition["leader"] >= 0 for partition in topic["partitions"])


def run_pulse() -> int:
    """Run the pulse until somebody stops it; returns the exit code. 2: the configuration is wrong."""
    try:
        settings = Settings.load()
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            sys.stderr.write(f"BDCAN_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}\n")
        return 2
    except ChassisError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    routing = service(settings)
    configure_logging(routing.name, "pulse", settings.log_level, routing.personal_fields)
    logging.getLogger(AIOKafkaConsumerThread.__module__).addFilter(IdleIsNoFault())
    asyncio.run(make_topics(settings))
    worker = _Worker(
        make_app(settings, routing),
        loglevel=settings.log_level,
        redirect_stdouts=False,
        override_logging=False,
        quiet=True,  # no spinner in the log
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        ignore()
    return 0


class _Worker(faust.Worker):
    """Faust's worker; a second signal while it stops, or after its loop has closed, changes nothing."""

    def install_signal_handlers(self) -> None:
        """Take SIGTERM and SIGINT to the end of the process, which Faust does not."""
        handle(lambda: self.loop.call_soon_threadsafe(self._on_sigterm))

    def _shutdown_loop(self) -> None:
        ignore()
        super()._shutdown_loop()
