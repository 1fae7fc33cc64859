"""Upstream systems and reading systems on a real cluster: what the commands give works, and all else is denied."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from bdcan_chassis.http.credentials import watch_api_keys, watch_kafka_users
from bdcan_contracts.catalogue import CATALOGUE, DEMAND_SIGNALS, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.upstreams import Upstreams, parse
from bdcan_local import access, chain, cli, onboarding
from bdcan_local.provision import provision_kafka
from bdcan_local.secrets_store import ACTS, SecretsStore
from bdcan_local.servers import KafkaBroker


class Platform:
    """A provisioned broker with the secrets of a platform, and `bdcan` on it."""

    def __init__(self, broker: KafkaBroker, store: SecretsStore, capsys: pytest.CaptureFixture[str]) -> None:
        self.broker, self.store, self.capsys = broker, store, capsys

    async def bdcan(self, *words: str) -> Any:
        """What a command answers. Raises AssertionError where it fails."""
        code, out, err = await self.tried(*words)
        assert code == 0, err
        return json.loads(out)

    async def tried(self, *words: str) -> tuple[int, str, str]:
        """A command's exit code and what it writes."""
        self.capsys.readouterr()
        places = ["--secrets", str(self.store.path()), "--cluster", self.broker.bootstrap, "--by", "ada"]
        code = await asyncio.to_thread(cli.main, [*words, *places, "--json"])
        found = self.capsys.readouterr()
        return code, found.out, found.err

    def options(self, told: dict[str, Any]) -> dict[str, Any]:
        """A client's options, from what was handed over alone."""
        kafka = told["kafka"]
        return {
            "bootstrap_servers": kafka["bootstrap servers"],
            "security_protocol": kafka["security protocol"],
            "sasl_mechanism": kafka["sasl mechanism"],
            "sasl_plain_username": kafka["user"],
            "sasl_plain_password": secret(kafka["password"]),
        }

    def upstreams(self) -> Upstreams:
        return parse(self.store.upstreams_file.read_bytes())


@pytest.fixture
async def platform(
    kafka_broker: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Platform]:
    store = SecretsStore(tmp_path / "secrets")
    store.prepare()
    store.path("kafka").mkdir(parents=True, exist_ok=True)
    store.path("kafka", "admin").write_text(kafka_broker.password)
    await provision_kafka(
        kafka_broker.client_options(),
        CATALOGUE.topics,
        store.passwords("kafka", access.users(CATALOGUE.topics)),
    )
    yield Platform(kafka_broker, store, capsys)
    for holder in store.outside().holders:  # the broker serves other tests
        users = [user.user for user in holder.users]
        await asyncio.to_thread(onboarding.remove_users, kafka_broker.client_options(), users)


def secret(told: dict[str, str]) -> str:
    return Path(told["file"]).read_text()


def fresh(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}"


async def send(options: dict[str, Any], topic: str, value: bytes = b"{}", **more: Any) -> None:
    async with AIOKafkaProducer(**options, **more) as producer:
        await producer.send_and_wait(topic, value)


async def test_added_system_submits_and_reads_its_receipts(platform: Platform) -> None:
    name = fresh("river-surgery")
    told = await platform.bdcan("upstream", "add", name, "--kafka", "--contact", "Amina Example")
    options, kafka = platform.options(told), told["kafka"]
    assert kafka["submit to"] == INBOUND_REFERRALS.of_sender(name)
    await send(options, kafka["submit to"], enable_idempotence=True)
    await send(platform.broker.client_options(), kafka["receipts from"], b"receipt")
    group = f"upstream-{name}.receipts"
    async with AIOKafkaConsumer(
        kafka["receipts from"], **options, group_id=group, auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value == b"receipt"
    [one] = [one for one in platform.upstreams() if one.name == name]
    assert (one.sources, one.contact, one.sandbox, one.revoked_at) == ((name,), "Amina Example", False, None)


async def test_transactional_producer_works_under_its_own_prefix_alone(platform: Platform) -> None:
    name = fresh("river-surgery")
    told = await platform.bdcan("upstream", "add", name, "--kafka")
    options = platform.options(told)
    async with (
        AIOKafkaProducer(**options, transactional_id=f"upstream-{name}.sender-1") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(told["kafka"]["submit to"], b"{}")
    foreign = AIOKafkaProducer(**options, transactional_id="upstream-demo.sender-1")
    with pytest.raises(TransactionalIdAuthorizationFailed):
        await foreign.start()
    await foreign.stop()


async def test_another_senders_topics_receipts_and_groups_are_denied(platform: Platform) -> None:
    first, second = fresh("river-surgery"), fresh("hill-surgery")
    told = await platform.bdcan("upstream", "add", first, "--kafka")
    options = platform.options(await platform.bdcan("upstream", "add", second, "--kafka"))
    for topic in (told["kafka"]["submit to"], INBOUND_REFERRALS.name, told["kafka"]["receipts from"]):
        producer = AIOKafkaProducer(**options)
        async with producer:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(topic, b"forged")
    for topic in (told["kafka"]["receipts from"], INBOUND_RECEIPTS.name, told["kafka"]["submit to"]):
        reader = AIOKafkaConsumer(topic, **options, group_id=f"upstream-{second}.x")
        with pytest.raises(TopicAuthorizationFailedError):
            await reader.start()
        await reader.stop()
    own = INBOUND_RECEIPTS.of_sender(second)
    reader = AIOKafkaConsumer(own, **options, group_id=f"upstream-{first}.receipts")
    with pytest.raises(GroupAuthorizationFailedError):
        await reader.start()
    await reader.stop()


async def test_rotated_credentials_work_beside_the_old_ones_until_those_end(platform: Platform) -> None:
    name = fresh("river-surgery")
    old = await platform.bdcan("upstream", "add", name, "--kafka", "--http")
    old_options, topic = platform.options(old), old["kafka"]["submit to"]
    old_key = secret(old["http"]["key"])
    new = await platform.bdcan("upstream", "rotate", name)
    assert new["kafka"]["user"] != old["kafka"]["user"]
    assert new["kafka"]["consumer group"] == old["kafka"]["consumer group"]
    new_options = platform.options(new)
    for options in (old_options, new_options):
        await send(options, topic)
    keys = [key for key in watch_api_keys(platform.store.api_keys_file).get().values() if key.name == name]
    assert [key.expires_at is None for key in keys] == [False, True]
    assert secret(new["http"]["key"]) != old_key

    newest = await platform.bdcan("upstream", "rotate", name, "--keep-old", "0")
    for options in (old_options, new_options):
        with pytest.raises(KafkaError):
            await send(options, topic)
    await send(platform.options(newest), topic)
    listed = await platform.bdcan("upstream", "list")
    [entry] = [one for one in listed if one["name"] == name]
    assert list(entry["kafka users"]) == [f"upstream-{name}.3"]


async def test_user_whose_time_is_over_is_swept(platform: Platform) -> None:
    name = fresh("river-surgery")
    told = await platform.bdcan("upstream", "add", name, "--kafka", "--expires", "1")
    assert await platform.bdcan("upstream", "sweep") == {"ended": []}
    ends = watch_kafka_users(platform.store.outside_file).get()  # as intake does, for its metric
    assert timedelta(hours=23) < ends[f"upstream-{name}"] - datetime.now(UTC) < timedelta(hours=25)
    holder = platform.store.outside().holder(f"upstream-{name}")
    platform.store.keep_outside(platform.store.outside().put(holder.end(datetime.now(UTC))))
    [listed] = [one for one in await platform.bdcan("upstream", "list") if one["name"] == name]
    assert "run bdcan upstream sweep" in listed["kafka users"][f"upstream-{name}"]
    options = platform.options(told)
    assert await platform.bdcan("upstream", "sweep") == {"ended": [f"upstream-{name}"]}
    with pytest.raises(KafkaError):
        await send(options, told["kafka"]["submit to"])


async def test_system_whose_credentials_have_ended_gets_new_ones(platform: Platform) -> None:
    name = fresh("river-surgery")
    await platform.bdcan("upstream", "add", name, "--expires", "0.00001")  # less than a second
    reader = fresh("council-report")
    await platform.bdcan("consumer", "add", reader, "--topic", DEMAND_SIGNALS.name, "--expires", "0.00001")
    over = datetime.now(UTC) + timedelta(seconds=1)
    await asyncio.to_thread(onboarding.sweep, platform.store, platform.broker.client_options(), over)
    platform.store.prepare()  # as the next start does: what has ended leaves the file of keys
    for verb, who in (("upstream", name), ("consumer", reader)):
        told = await platform.bdcan(verb, "rotate", who)
        assert told["kafka"]["user"].endswith(f"{who}.2")
        if verb == "upstream":
            await send(platform.options(told), told["kafka"]["submit to"])
            assert told["http"]["ends"] == "does not end"


async def test_demo_that_was_revoked_stays_so_at_the_next_start(platform: Platform) -> None:
    await platform.bdcan("upstream", "revoke", "demo")
    platform.store.prepare()
    demo = platform.upstreams().named("demo")
    assert demo is not None
    assert demo.revoked_at is not None
    assert platform.store.outside().holder("upstream-demo").users == ()
    code, _, err = await asyncio.to_thread(provision, platform)
    assert code == 0, err


async def test_revoked_system_is_cut_off_also_where_it_is_connected(platform: Platform) -> None:
    name = fresh("river-surgery")
    told = await platform.bdcan("upstream", "add", name, "--kafka", "--http")
    options, topic = platform.options(told), told["kafka"]["submit to"]
    producer = AIOKafkaProducer(**options)
    async with producer:
        await producer.send_and_wait(topic, b"in flight")
        await platform.bdcan("upstream", "revoke", name)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"too late")
    with pytest.raises(KafkaError):
        await send(options, topic)
    assert not [k for k in watch_api_keys(platform.store.api_keys_file).get().values() if k.name == name]
    assert not platform.store.path("api-keys", name).exists()
    revoked = platform.upstreams().named(name)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert revoked.inbound_topic == topic  # intake reads on to its end
    intake = platform.store.get("kafka", "bdcan-intake")
    async with AIOKafkaConsumer(
        topic,
        **platform.broker.client_options("bdcan-intake", intake),
        group_id="bdcan.intake.inbound",
        auto_offset_reset="earliest",
    ) as consumer:
        assert (await consumer.getone()).value == b"in flight"


async def test_revoked_system_stays_revoked_and_is_let_in_again_on_request(platform: Platform) -> None:
    name = fresh("river-surgery")
    await platform.bdcan("upstream", "add", name, "--kafka", "--http")
    at = (await platform.bdcan("upstream", "revoke", name))["revoked at"]
    assert (await platform.bdcan("upstream", "revoke", name))["revoked at"] == at
    code, _, err = await platform.tried("upstream", "rotate", name)
    assert code != 0
    assert "was revoked on" in err
    code, _, err = await platform.tried("upstream", "add", name, "--kafka")
    assert code != 0
    assert "--again" in err
    told = await platform.bdcan("upstream", "add", name, "--kafka", "--http", "--again")
    assert told["kafka"]["user"] == f"upstream-{name}.2"  # no user's name is issued twice
    await send(platform.options(told), told["kafka"]["submit to"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("River",), "cannot be a name"),
        (("ab",), "cannot be a name"),
        (("a" * 41,), "cannot be a name"),
        (("river_surgery",), "cannot be a name"),
        (("../escape",), "cannot be a name"),
        (("demo",), "there is an upstream system demo already"),
        (("faith-forum",), "belongs to demo"),
        (("simulator",), "an API key is called simulator"),
        (("the-desk", "--source", "desk"), "belongs to a desk"),
        (("another-list", "--source", "bench-list"), "belongs to a desk or to an API key"),
        (("river-surgery", "--source", "river-surgery", "heath-pharmacy"), "belongs to demo"),
        (("river-surgery", "--source", "River"), "cannot be a source"),
        (("river-surgery", "--again"), "there is no upstream system"),
        (("demo", "--again", "--sandbox"), "demo is no sandbox"),
    ],
)
async def test_what_cannot_be_added_changes_nothing(
    platform: Platform, words: tuple[str, ...], said: str
) -> None:
    before = [path.read_bytes() for path in (platform.store.upstreams_file, platform.store.api_keys_file)]
    code, out, err = await platform.tried("upstream", "add", *words)
    assert (code, out) == (1, "")
    assert said in err
    assert before == [
        path.read_bytes() for path in (platform.store.upstreams_file, platform.store.api_keys_file)
    ]


async def test_unknown_names_are_answered_in_words(platform: Platform) -> None:
    for words in (
        ("upstream", "rotate"),
        ("upstream", "revoke"),
        ("consumer", "rotate"),
        ("consumer", "revoke"),
    ):
        code, _, err = await platform.tried(*words, "nobody-here")
        assert code == 1
        assert "there is no 'nobody-here'" in err


async def test_system_by_http_alone_needs_no_kafka(platform: Platform) -> None:
    code = await asyncio.to_thread(
        cli.main,
        [
            "upstream",
            "add",
            "hill-charity",
            "--http",
            "--expires",
            "90",
            "--secrets",
            str(platform.store.path()),
        ],
    )
    assert code == 0
    shown = platform.capsys.readouterr().out
    key = platform.store.path("api-keys", "hill-charity").read_text()
    assert key not in shown
    [found] = [
        k for k in watch_api_keys(platform.store.api_keys_file).get().values() if k.name == "hill-charity"
    ]
    assert (found.scopes, found.sources) == (["referrals:read", "referrals:write"], ["hill-charity"])
    assert found.expires_at is not None
    upstream = platform.upstreams().named("hill-charity")
    assert upstream is not None
    assert upstream.inbound_topic is None
    code = await asyncio.to_thread(
        cli.main, ["upstream", "revoke", "hill-charity", "--secrets", str(platform.store.path())]
    )
    assert code == 0


async def test_hand_over_says_all_and_shows_secrets_only_when_asked(platform: Platform) -> None:
    name = fresh("river-surgery")
    places = ["--secrets", str(platform.store.path()), "--cluster", platform.broker.bootstrap]
    outside = [
        "--address",
        "kafka.example.org:9093",
        "--ca",
        "ca.pem",
        "--intake",
        "https://intake.example.org",
    ]
    for more, shown in (([], False), (["--show-secrets"], True)):
        verb = "rotate" if shown else "add"
        assert await asyncio.to_thread(cli.main, ["upstream", verb, name, *places, *outside, *more]) == 0
        text = platform.capsys.readouterr().out
        user = f"upstream-{name}.2" if shown else f"upstream-{name}"
        for said in (
            "kafka.example.org:9093",
            "SASL_SSL",
            "ca.pem",
            "SCRAM-SHA-512",
            user,
            INBOUND_REFERRALS.of_sender(name),
            INBOUND_RECEIPTS.of_sender(name),
            f"any that begins with upstream-{name}.",
            "https://intake.example.org",
            "X-API-Key",
            "262144 bytes",
            "docs/upstream.md",
            str(platform.store.path("kafka", user)),
        ):
            assert said in text
        for secret_file in (platform.store.path("kafka", user), platform.store.path("api-keys", name)):
            assert (secret_file.read_text() in text) is shown


async def test_places_may_come_from_the_environment(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fresh("river-surgery")
    monkeypatch.setenv("BDCAN_SECRETS", str(platform.store.path()))
    monkeypatch.setenv("BDCAN_CLUSTER", platform.broker.bootstrap)
    monkeypatch.setenv("BDCAN_KAFKA_ADDRESS", "kafka.example.org:9093")
    monkeypatch.setenv("BDCAN_INTAKE_ADDRESS", "https://intake.example.org")
    assert await asyncio.to_thread(cli.main, ["upstream", "add", name, "--json"]) == 0
    told = json.loads(platform.capsys.readouterr().out)
    assert told["kafka"]["bootstrap servers"] == "kafka.example.org:9093"
    assert told["http"]["base url"] == "https://intake.example.org"
    topics = {"bootstrap servers": platform.broker.bootstrap}
    await send(platform.options({"kafka": told["kafka"] | topics}), told["kafka"]["submit to"])


async def test_known_system_gets_another_door_and_source(platform: Platform) -> None:
    name = fresh("river-surgery")
    await platform.bdcan("upstream", "add", name, "--http")
    key = platform.store.path("api-keys", name).read_text()
    told = await platform.bdcan("upstream", "add", name, "--kafka", "--source", f"{name}-east", "--again")
    assert told["sources"] == [name, f"{name}-east"]
    assert platform.store.path("api-keys", name).read_text() == key
    [found] = platform.store.api_keys(name)
    assert found["sources"] == [name, f"{name}-east"]
    await send(platform.options(told), told["kafka"]["submit to"])


async def test_each_act_leaves_a_line_and_a_changed_one_is_found(platform: Platform) -> None:
    name = fresh("river-surgery")
    await platform.bdcan("upstream", "add", name, "--http")
    await platform.bdcan("upstream", "revoke", name)
    path = platform.store.path(ACTS)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["by"], line["act"], line["name"]) for line in lines] == [
        ("ada", "upstream.add", name),
        ("ada", "upstream.revoke", name),
    ]
    assert chain.verify(path) == (2, None)
    path.write_text(path.read_text().replace('"ada"', '"bob"', 1))
    assert chain.verify(path)[1] == "row 1 was changed"


async def test_damaged_list_of_upstream_systems_is_named_and_kept(platform: Platform) -> None:
    platform.store.upstreams_file.write_text("[{]")
    code, _, err = await platform.tried("upstream", "add", "river-surgery", "--http")
    assert code == 4
    assert "is damaged" in err
    assert platform.store.upstreams_file.read_text() == "[{]"


async def test_two_commands_at_once_lose_nothing(platform: Platform) -> None:
    names = [fresh("hill-charity") for _ in range(6)]
    onboard = onboarding.Onboarding(platform.store, "ada")
    await asyncio.gather(*(asyncio.to_thread(onboard.add, name, kafka=False, http=True) for name in names))
    assert {one.name for one in platform.upstreams()} == {"demo", *names}
    assert all(platform.store.api_keys(name) for name in names)


async def test_provisioning_again_keeps_both_senders_and_takes_nothing_away(platform: Platform) -> None:
    told = [await platform.bdcan("upstream", "add", fresh("river-surgery"), "--kafka") for _ in range(2)]
    code, out, err = await asyncio.to_thread(provision, platform)
    assert code == 0, err
    for one in told:
        assert one["name"] not in out
        await send(platform.options(one), one["kafka"]["submit to"])


def provision(platform: Platform) -> tuple[int, str, str]:
    platform.capsys.readouterr()
    code = cli.main(
        ["provision", "--kafka", platform.broker.bootstrap, "--secrets", str(platform.store.path())]
    )
    found = platform.capsys.readouterr()
    return code, found.out, found.err


async def test_reading_system_reads_what_it_was_given_alone(platform: Platform) -> None:
    name = fresh("council-report")
    told = await platform.bdcan("consumer", "add", name, "--topic", DEMAND_SIGNALS.name)
    options = platform.options(told)
    await send(platform.broker.client_options(), DEMAND_SIGNALS.name, b"hub")
    async with AIOKafkaConsumer(
        DEMAND_SIGNALS.name, **options, group_id=f"consumer-{name}.x", auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value
    async with AIOKafkaProducer(**options) as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(DEMAND_SIGNALS.name, b"forged")
    for topic in (INBOUND_REFERRALS.name, INBOUND_RECEIPTS.name, "bdcan.intake.referrals.v1"):
        reader = AIOKafkaConsumer(topic, **options, group_id=f"consumer-{name}.x")
        with pytest.raises(TopicAuthorizationFailedError):
            await reader.start()
        await reader.stop()
    await platform.bdcan("consumer", "rotate", name, "--keep-old", "0")
    await platform.bdcan("consumer", "revoke", name)
    reader = AIOKafkaConsumer(DEMAND_SIGNALS.name, **options, group_id=f"consumer-{name}.x")
    with pytest.raises(KafkaError):
        await reader.start()
    await reader.stop()


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (INBOUND_REFERRALS.name, "no system outside may read"),
        (INBOUND_RECEIPTS.of_sender("river-surgery"), "no system outside may read"),
        ("bdcan.intake.nothing.v1", "the catalogue has no topic"),
        ("*", "the catalogue has no topic"),
    ],
)
async def test_topics_that_nobody_outside_may_read(platform: Platform, topic: str, said: str) -> None:
    code, _, err = await platform.tried(
        "consumer", "add", "council-report", "--topic", DEMAND_SIGNALS.name, topic
    )
    assert code == 1
    assert said in err
    assert platform.store.outside().reader("council-report") is None
