"""A FastStream subscriber: one transaction for each event, acknowledged by hand when it has committed."""

from __future__ import annotations

from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import SASLScram512

from benchmarks.contender import Span, main
from benchmarks.loops.one_by_one import open_pool, take


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Consume the topic to its end."""
    kafka = task["kafka"]
    pool = await open_pool(task["dsn"])
    span = Span(task["count"])
    security = SASLScram512(kafka["sasl_plain_username"], kafka["sasl_plain_password"], use_ssl=False)
    broker = KafkaBroker(kafka["bootstrap_servers"], security=security, logger=None)

    async def subscriber(body: dict[str, Any], message: KafkaMessage) -> None:
        span.begin()
        await take(pool, message.headers["ce_id"], body)
        await message.ack()
        span.done(1)

    broker.subscriber(
        task["topic"],
        group_id=task["group"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
    )(subscriber)
    await broker.start()
    await span.finished.wait()
    return span.figures()


if __name__ == "__main__":
    main(work)
