"""Heartbeats: a server that hangs counts as away, as one that refuses does."""

from __future__ import annotations

import pytest
from ledger import Faults, ledger_service
from prometheus_client import REGISTRY
from pydantic import SecretStr
from waiting import running, until_true

from bdcan_chassis import heartbeat, metrics
from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.heartbeat import Database, beat, feel_lag
from bdcan_chassis.kafka_heartbeat import Kafka
from bdcan_chassis.testing.harness import Harness


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(heartbeat, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(heartbeat, "_LAG_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("frozen", ["database", "kafka"])
async def test_frozen_server_is_not_connected_and_blocks_the_consumer(
    ledger: Harness, shared_faults: Faults, kafka_broker, postgres_server, frozen: str
) -> None:
    settings = ledger.service.settings.model_copy(
        update={
            "kafka_bootstrap": kafka_broker.bootstrap,
            "kafka_username": kafka_broker.username,
            "kafka_password": SecretStr(kafka_broker.password),
        }
    )
    [consumer] = ledger_service(settings, ledger.service.catalogue, shared_faults).consumers
    loop = ConsumerLoop(Dispatcher(consumer, ledger.transactions, ParkLimit(50, 0.5)), settings, "ledger")
    blocked, gauge = metrics.BLOCKED.labels(loop.name), f"bdcan_{frozen}_connected"
    server = postgres_server if frozen == "database" else kafka_broker

    def connected() -> bool:
        return REGISTRY.get_sample_value(gauge) == 1

    async with running(
        lambda stopping: beat(Database(settings, "heart"), Kafka(settings, "heart"), [loop], stopping)
    ):
        await until_true(lambda: connected() and blocked._value.get() == 0)
        server.freeze()
        try:
            await until_true(lambda: not connected() and blocked._value.get() == 1)
        finally:
            server.thaw()
        await until_true(lambda: connected() and blocked._value.get() == 0)
    assert REGISTRY.get_sample_value("bdcan_kafka_last_poll_timestamp_seconds", {"consumer": loop.name})


@pytest.mark.usefixtures("quick")
async def test_lag_of_the_event_loop_is_observed() -> None:
    def observed() -> float:
        return REGISTRY.get_sample_value("bdcan_event_loop_lag_seconds_count") or 0

    before = observed()
    async with running(feel_lag):
        await until_true(lambda: observed() > before)
