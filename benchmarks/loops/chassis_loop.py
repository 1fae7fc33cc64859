"""The chassis: its consumer loop with all that it promises, and a handler as services write them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr
from typing_extensions import override

from bdcan_chassis.clock import SystemClock
from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.database import open_pool
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.heap import settle_heap
from bdcan_chassis.logs import configure_logging
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.subscription import Batch, Consumer, On
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import Record
from benchmarks.contender import Span, main
from benchmarks.events import LOCK, SAVE, Came, Thing, catalogue, decide


async def on_came(batch: Batch[Came], tx: Tx) -> None:
    """Lock, decide each, save."""
    ids = sorted({event.data.thing_id for event in batch})
    things = {row["id"]: Thing(*row) for row in await tx.connection.fetch(LOCK, ids)}
    for event in batch:
        things[event.data.thing_id], went = decide(things.get(event.data.thing_id), event.data)
        tx.emit(went, cause=event)
    await tx.connection.execute(SAVE, *map(list, zip(*things.values(), strict=True)))


class Measured(Dispatcher):
    """Tells when a batch came and when it was committed."""

    span: Span

    @override
    async def process(self, records: Sequence[Record]) -> Counter[str]:
        self.span.begin()
        outcome = await super().process(records)
        self.span.done(len(records))
        return outcome


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Consume the topic to its end."""
    configure_logging("bench", "loop", "ERROR", ())
    settle_heap()  # as every worker does when it starts
    known, kafka = catalogue(task["topic"]), task["kafka"]
    settings = service_settings(task["dsn"], kafka, batch_records=task["batch"])
    transactions = Transactions(await open_pool(task["dsn"], 4, "bench"), SystemClock(), "bench", known, ())
    consumer = Consumer(task["group"], (On(known.by_topic[task["topic"]], Came, on_came),))
    dispatcher = Measured(consumer, transactions, ParkLimit(50, 0.5))
    dispatcher.span = Span(task["count"])
    stopping = asyncio.Event()
    consuming = asyncio.create_task(ConsumerLoop(dispatcher, settings, "bench").run(stopping))
    await asyncio.wait(
        {consuming, asyncio.create_task(dispatcher.span.finished.wait())},
        return_when=asyncio.FIRST_COMPLETED,
    )
    stopping.set()
    await consuming
    return dispatcher.span.figures()


def service_settings(dsn: str, kafka: dict[str, Any], **more: Any) -> ServiceSettings:
    """A service's settings without an environment."""
    return ServiceSettings.model_validate(
        {
            "database_url": SecretStr(dsn),
            "kafka_bootstrap": kafka["bootstrap_servers"],
            "kafka_username": kafka["sasl_plain_username"],
            "kafka_password": kafka["sasl_plain_password"],
            "jwks": "-",
            "oidc_issuer": "-",
            **more,
        }
    )


if __name__ == "__main__":
    main(work)
