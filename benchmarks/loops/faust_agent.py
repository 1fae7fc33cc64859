"""The naive Faust agent: one transaction for each event, and Faust's own acknowledgements."""

from __future__ import annotations

import tempfile
from typing import Any

import faust

from benchmarks.contender import Span, main
from benchmarks.loops.one_by_one import open_pool, take


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Consume the topic to its end."""
    kafka = task["kafka"]
    pool = await open_pool(task["dsn"])
    span = Span(task["count"])
    app = faust.App(
        task["group"],
        broker=f"kafka://{kafka['bootstrap_servers']}",
        broker_credentials=faust.SASLCredentials(
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            mechanism=kafka["sasl_mechanism"],
        ),
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="bdcan-bench-"),
        web_enabled=False,
        autodiscover=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
    )

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            span.begin()
            headers = event.headers
            await take(pool, headers["ce_id"].decode(), event.value)
            span.done(1)

    app.agent(app.topic(task["topic"], value_type=bytes, value_serializer="raw", key_serializer="raw"))(agent)
    await app.start()
    await span.finished.wait()
    return span.figures()


if __name__ == "__main__":
    main(work)
