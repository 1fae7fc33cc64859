"""The exam: whatever an upstream system writes to its topic, through a client that is not ours, gets exactly one receipt."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from msgspec.structs import replace as changed
from pydantic import SecretStr

from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.relay import Relay
from bdcan_chassis.testing import wire
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.wake import Wakes
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.upstreams import Upstream, dump
from bdcan_intake import metrics

SUBMITTED = "bdcan.intake.inbound-referral.submitted.v1"
BINARY = {
    "content-type": "application/json",
    "ce_specversion": "1.0",
    "ce_type": SUBMITTED,
    "ce_time": "2020-03-23T09:00:00Z",
}
STRUCTURED = {"content-type": "application/cloudevents+json"}
Headers = list[tuple[str, "str | bytes | None"]]


@dataclass
class Sender:
    """An upstream system under examination."""

    upstream: Upstream

    def body(self, number: str, **more: Any) -> dict[str, Any]:
        said = {
            "source": self.upstream.name,
            "reference": number,
            "channel": "gp",
            "person": {"name": f"Resident {number}", "phone": "07700 900417"},
            "needs": ["food-parcel"],
        }
        return said | more


@dataclass
class Case:
    """One record, and what its receipt says: `codes` are the problems of a refusal; none: it is accepted."""

    name: str
    value: bytes | None
    headers: Headers
    codes: tuple[str, ...] = ()
    key: bytes | None = None
    quoted_id: str | None = None
    dry_run: bool | None = None
    duplicate: bool = False
    partition: int = -1
    place: tuple[str, int, int] = field(default=("", 0, 0), init=False)


class Paper:
    """Makes the cases of one sender."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.cases: list[Case] = []

    def body(self, **more: Any) -> dict[str, Any]:
        """A body with a reference of its own."""
        return self.sender.body(f"R-{len(self.cases)}", **more)

    def binary(self, name: str, *codes: str, body: Any = None, **more: Any) -> Case:
        """In binary mode. `drop`, `put` and `add` change the headers; `value` stands for the body."""
        event_id = more.pop("event_id", f"id-{len(self.cases)}")
        head: dict[str, Any] = BINARY | {"ce_id": event_id, "ce_source": "/surgery"} | more.pop("put", {})
        for one in more.pop("drop", ()):
            del head[one]
        headers = [*head.items(), *more.pop("add", ())]
        value = more.pop("value", b"")
        if value == b"":
            value = json.dumps(self.body() if body is None else body).encode()
        return self._add(Case(name, value, headers, codes, quoted_id=head.get("ce_id"), **more))

    def structured(self, name: str, *codes: str, event: dict[str, Any] | None = None, **more: Any) -> Case:
        """In structured mode. `event` changes its attributes; None takes one away."""
        event_id = f"id-{len(self.cases)}"
        whole: dict[str, Any] = {
            "specversion": "1.0",
            "id": event_id,
            "source": "/surgery",
            "type": SUBMITTED,
            "datacontenttype": "application/json",
            "data": self.body(),
        }
        whole = {k: v for k, v in (whole | (event or {})).items() if v is not None}
        headers = [*(STRUCTURED | more.pop("put", {})).items()]
        value = more.pop("value", json.dumps(whole).encode())
        quoted = more.pop("quoted_id", whole.get("id"))
        return self._add(Case(name, value, headers, codes, quoted_id=quoted, **more))

    def unread(self, name: str, *codes: str) -> Case:
        """A record of which intake knows the position alone."""
        return self._add(Case(name, None, [], codes))

    def _add(self, case: Case) -> Case:
        self.cases.append(case)
        return case


def questions(paper: Paper) -> None:
    """All that can be asked about a single record."""
    b, s = paper.binary, paper.structured
    source = paper.sender.upstream.name
    b("a record as the contract has it", key=f"{source}:R-0".encode())
    # keys
    b("no key")
    b("an empty key", key=b"")
    b("another key", key=b"robin 7")
    b("a key that is not UTF-8", key=b"\xff\xfe:1")
    b("a key of 2,000 bytes", key=b"k7" * 1000)
    # structured mode
    s("structured, no key")
    s("structured, a key", key=b"surgery-7")
    s(
        "structured beside ce_ headers",
        put={"ce_id": "another", "ce_type": "another", "ce_specversion": "0.1"},
    )
    s("structured with a charset", put={"content-type": "application/cloudevents+json; charset=UTF-8"})
    encoded = base64.b64encode(json.dumps(paper.body()).encode()).decode()
    s("structured, base64", event={"data": None, "data_base64": encoded})
    s("structured, no base64", "bad-body", event={"data": None, "data_base64": "%"})
    s("structured without data", "no-body", event={"data": None})
    s("structured, a text as data", "bad-body", event={"data": "please help"})
    s("structured, a list", "bad-body", value=b"[]", quoted_id=None)
    s("structured, null", "bad-body", value=b"null", quoted_id=None)
    s("structured, not JSON", "bad-body", value=b"{", put={"ce_id": "beside"}, quoted_id="beside")
    s("structured, a tombstone", "no-body", value=None, quoted_id=None)
    s("structured without an id", "missing", event={"id": None})
    s("structured, XML as data", "bad-header", event={"datacontenttype": "text/xml"})
    s("structured, too large", "too-large", event={"padding": "x" * 300_000})
    s("structured, a key twice", "repeated-key", value=b'{"id": "1", "id": "2"}', quoted_id=None)
    s("a batch", "batch", put={"content-type": "application/cloudevents-batch+json"}, quoted_id=None)
    s("structured avro", "bad-header", put={"content-type": "application/cloudevents+avro"}, quoted_id=None)
    # content types
    b("a charset", put={"content-type": "application/json; charset=utf-8"})
    b("no content type", drop=["content-type"])
    b("XML", "bad-header", put={"content-type": "application/xml"})
    b("a content type with capitals", drop=["content-type"], add=[("Content-Type", "Application/JSON")])
    # bodies
    b("a tombstone", "no-body", value=None)
    b("a body that is not JSON", "bad-body", value=b"food please")
    b("a list as body", "bad-body", value=b"[1]")
    b("a text as body", "bad-body", value=b'"{}"')
    b("null as body", "bad-body", value=b"null")
    b("a body that is not UTF-8", "bad-body", value=b'{"source": "\xff"}')
    b("a mark of the byte order", value=b"\xef\xbb\xbf" + json.dumps(paper.body()).encode())
    b("a key twice", "repeated-key", value=b'{"source": "a", "source": "b"}')
    b("nested too deep", "too-much", value=b"[" * 5000 + b"]" * 5000)
    b("as large as may be", value=json.dumps(paper.body()).encode().ljust(262_144))
    b("one byte more", "too-large", value=json.dumps(paper.body()).encode().ljust(262_145))
    b("1 MB", "too-large", value=secrets.token_bytes(1_000_000))
    b("3 MB that compress well", "too-large", value=json.dumps(paper.body()).encode().ljust(3_000_000))
    # attributes
    b("no id", "missing", drop=["ce_id"])
    b("a null id", "missing", put={"ce_id": None})
    b("no source", "missing", drop=["ce_source"])
    b("no type", "missing", drop=["ce_type"])
    b("no specversion", "missing", drop=["ce_specversion"])
    b("an old specversion", "bad-header", put={"ce_specversion": "0.3"})
    b("no header at all", *["missing"] * 4, drop=[*BINARY, "ce_id", "ce_source"])
    b("an unknown type", "unknown-type", put={"ce_type": "org.example.help.v1"})
    b("an unknown version", "unknown-version", put={"ce_type": SUBMITTED.replace(".v1", ".v9")})
    b("a type of another topic", "misplaced", put={"ce_type": SUBMITTED.replace("submitted", "accepted")})
    b("a null type", "missing", put={"ce_type": None})
    b("a null content type", drop=["content-type"], add=[("content-type", None)])
    b("a null time", put={"ce_time": None})
    b("an id twice, once null", "bad-header", add=[("ce_id", None)])
    b("an id twice", "bad-header", add=[("ce_id", "again")])
    b("a type twice", "bad-header", add=[("ce_type", SUBMITTED)])
    b("a source that is not UTF-8", "bad-header", put={"ce_source": b"\xff"})
    b("a control character in the id", "bad-header", event_id="a\x01b")
    b("an id of 1,000 characters", event_id="i" * 1000)
    b("an id of 1,000 letters beyond ASCII", event_id="é" * 1000)
    b("an id that is too long", "bad-header", event_id="i" * 1025)
    b("no time", drop=["ce_time"])
    b("a time in lower case", put={"ce_time": "2020-03-23t09:00:00z"})
    b("a leap second", put={"ce_time": "2016-12-31T23:59:60Z"})
    b("nanoseconds", put={"ce_time": "2020-03-23T09:00:00.123456789+01:00"})
    b("a clock that is wrong", put={"ce_time": "2099-01-01T00:00:00Z"})
    b("a time that is none", "bad-header", put={"ce_time": "yesterday"})
    b("a time without an offset", "bad-header", put={"ce_time": "2020-03-23T09:00:00"})
    b("the right subject", put={"ce_subject": f"{source}:R-{len(paper.cases)}"})
    b("another subject", "misplaced", put={"ce_subject": "somebody else"})
    b("headers of no meaning", add=[("ce_partitionkey", "7"), ("x", None), ("x", b"\xff")])
    # values
    b("2.0 for an integer", body=paper.body(household={"adults": 2.0, "children": 1}))
    b("null for what is absent", body=paper.body(diets=None, household=None, notes=None, flags=None))
    b("a person without anything", body=paper.body(person=None))
    b("a source that breaks its pattern", "string-pattern-mismatch", body=paper.body(source="The Surgery"))
    b("a reference that is missing", "missing", body=paper.body(reference=None))
    b("an empty reference", "string-too-short", body=paper.body(reference=""))
    b("a reference that is too long", "string-too-long", body=paper.body(reference="r" * 101))
    b("a reference with U+0000", "string-pattern-mismatch", body=paper.body(reference="a\0b"))
    b("another sender's source", "not-yours", body=paper.body(source="somebody-else"))
    b("an unknown need", "unknown-code", body=paper.body(needs=["pony"]))
    b("nobody and nothing", "nobody-named", "nothing-needed", body=paper.body(person=None, needs=[]))
    b("half a character in a name", body=paper.body(person={"name": "Resident \ud83d"}))
    b("half a character in a reference", "half-character", body=paper.body(reference="R\ud83d"))
    b("U+0000 in a name", body=paper.body(person={"name": "Resi\0dent"}))
    b("half a character in notes, alone and between others", body=paper.body(notes="\ude00 a \ud83d\ud83d b"))
    b("half a character in a key", body=paper.body(**{"\ud83d": "x"}))
    b("half a character in a need", "string-pattern-mismatch", body=paper.body(needs=["shop\ud83d"]))
    b(
        "half a character in the source",
        "string-pattern-mismatch",
        "half-character",
        body=paper.body(source=f"{source}\udc00"),
    )
    s("structured, half a character in the id", "bad-header", event={"id": "x\ud83d"}, quoted_id="x\ufffd")
    s("structured, half a character in the subject", "bad-header", "misplaced", event={"subject": "\udc00"})
    b("control characters in every text", body=paper.body(person={"name": "A\x07\x1b[2J"}, notes="\x01\x9f"))
    b("a control character in a reference", body=paper.body(reference="bell\x07"))
    b("a dry run", put={"ce_dryrun": "true"}, dry_run=True)
    b(
        "a dry run of a bad one",
        "unknown-code",
        put={"ce_dryrun": "true"},
        body=paper.body(needs=["pony"]),
        dry_run=True,
    )
    b("neither dry nor wet", "bad-header", put={"ce_dryrun": "maybe"})
    # what was sent before, one after the other on one partition
    first = paper.body()
    b("an event", event_id="known", body=first, partition=0)
    b("the same event again", event_id="known", body=dict(reversed(first.items())), partition=0)
    b(
        "its id for other content",
        "id-reused",
        event_id="known",
        body=first | {"notes": "Moved."},
        partition=0,
    )
    b("its id for another person", "id-reused", event_id="known", body=paper.body(), partition=0)
    b("its id from another source", put={"ce_source": "/pharmacy"}, event_id="known", partition=0)
    b("its content under a new id", body=first, partition=0, duplicate=True)
    b("its reference for other content", "reference-reused", body=first | {"notes": "Moved."}, partition=0)
    wrong = paper.body(needs=["Pony!"])
    b("a refusal by the schema", "string-pattern-mismatch", event_id="schema", body=wrong, partition=0)
    b("the same again", "string-pattern-mismatch", event_id="schema", body=wrong, partition=0)
    b(
        "corrected under its id",
        "id-reused",
        event_id="schema",
        body=wrong | {"needs": ["errand"]},
        partition=0,
    )
    b("corrected under a new id", body=wrong | {"needs": ["errand"]}, partition=0)
    wrong = paper.body(needs=["pony"])
    b("a refusal by intake", "unknown-code", event_id="domain", body=wrong, partition=0)
    b(
        "corrected under its id, too",
        "id-reused",
        event_id="domain",
        body=wrong | {"needs": ["errand"]},
        partition=0,
    )


class Hall:
    """Where the exam is held: intake's consumer and relay on a real broker, and clients that are not ours."""

    def __init__(self, given: Harness, broker: Any, senders: Sequence[Sender]) -> None:
        self.given, self.broker, self.senders = given, broker, senders
        options = broker.client_options()
        self.options = {
            "bootstrap.servers": options["bootstrap_servers"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": broker.username,
            "sasl.password": broker.password,
        }
        self.receipts: dict[tuple[str, int, int], list[dict[str, Any]]] = {}

    def register(self) -> None:
        """Write the registry, as whoever runs the platform does."""
        path = self.given.service.settings.upstreams_file  # type: ignore[attr-defined] # intake's settings have it
        path.with_suffix(".new").write_bytes(dump(one.upstream for one in self.senders))
        path.with_suffix(".new").replace(path)

    async def send(
        self, sender: Sender, cases: Sequence[Case], *, transaction: bool | None = None, codec: str = "gzip"
    ) -> None:
        """Write records in their order, and note where each is. `transaction`: they are in one, and whether it is committed."""
        await asyncio.to_thread(self._send, sender, cases, transaction, codec)

    async def send_batch(self, sender: Sender, cases: Sequence[Case], batch: bytes) -> None:
        """Write a batch as it is, one case for each record."""
        topic = sender.upstream.inbound_topic or ""
        first = await wire.send_batch(self.broker.client_options(), topic, 0, batch, len(cases))
        for number, case in enumerate(cases):
            case.place = (topic, 0, first + number)

    def _send(self, sender: Sender, cases: Sequence[Case], transaction: bool | None, codec: str) -> None:
        options = {"message.max.bytes": 6_000_000, "compression.type": codec, "enable.idempotence": True}
        if transaction is not None:
            options["transactional.id"] = secrets.token_hex(4)
        producer = Producer(self.options | options)
        if transaction is not None:
            producer.init_transactions(30)
            producer.begin_transaction()
        for case in cases:

            def noted(error: Any, message: Message, case: Case = case) -> None:
                assert error is None, (case.name, error)
                case.place = (message.topic() or "", message.partition() or 0, message.offset() or 0)

            topic = sender.upstream.inbound_topic or ""
            producer.produce(
                topic,
                case.value,
                case.key,
                partition=case.partition,
                headers=list(case.headers),
                on_delivery=noted,
            )
            producer.flush(30)
        if transaction is not None:
            (producer.commit_transaction if transaction else producer.abort_transaction)(30)

    async def answered(self, cases: Sequence[Case]) -> None:
        """Wait until each of these records has a receipt, and all receipts are read."""
        wanted = {case.place for case in cases}
        topics = [one.upstream.receipts_topic or "" for one in self.senders]
        await asyncio.to_thread(self._read, topics, wanted)

    def _read(self, topics: list[str], wanted: set[tuple[str, int, int]]) -> None:
        consumer = Consumer(
            self.options | {"group.id": secrets.token_hex(4), "auto.offset.reset": "earliest"}
        )
        found = consumer.list_topics(timeout=30).topics
        places = [TopicPartition(t, p, 0) for t in topics for p in found[t].partitions]
        consumer.assign(places)
        self.receipts.clear()
        until = datetime.now(UTC).timestamp() + 60
        try:
            while not wanted <= self.receipts.keys() or self._lags(consumer, places):
                left = sorted(wanted - self.receipts.keys())
                assert datetime.now(UTC).timestamp() < until, (
                    f"no receipt for {left[:5]} and {len(left)} in all"
                )
                message = consumer.poll(0.5)
                if message is None or message.error():
                    continue
                receipt = json.loads(message.value() or b"")
                receipt["kind"] = _text(dict(message.headers() or ())["ce_type"]).split(".")[-2]
                record = receipt["record"]
                place = (record["topic"], record["partition"], record["offset"])
                assert message.topic() == place[0].replace("inbound-referrals", "inbound-receipts"), (
                    "one's own topic"
                )
                assert message.key() == f"{receipt['source']}:{receipt['reference']}".encode()
                self.receipts.setdefault(place, []).append(receipt)
        finally:
            consumer.close()

    def _lags(self, consumer: Consumer, places: list[TopicPartition]) -> bool:
        positions = {(p.topic, p.partition): p.offset for p in consumer.position(places)}
        return any(
            max(positions[p.topic, p.partition], 0) < consumer.get_watermark_offsets(p, timeout=10)[1]
            for p in places
        )

    def receipt(self, case: Case) -> dict[str, Any]:
        """The one receipt of a record."""
        receipts = self.receipts[case.place]
        assert len(receipts) == 1, f"{case.name}: {len(receipts)} receipts"
        return receipts[0]

    def mark(self, case: Case) -> str | None:
        """What is wrong with the receipt of a case."""
        receipt = self.receipt(case)
        record, codes = receipt["record"], tuple(p["code"] for p in receipt.get("problems", ()))
        key = None if case.key is None else case.key.decode("utf-8", "replace")[:1024]
        quoted = case.quoted_id.decode() if isinstance(case.quoted_id, bytes) else case.quoted_id
        checks = {
            "kind": (receipt["kind"], "refused" if case.codes else "accepted"),
            "codes": (codes, case.codes),
            "id": (record.get("id"), quoted and quoted[:1024]),
            "key": (record.get("key"), key),
            "dry run": (receipt.get("dry_run"), case.dry_run),
            "duplicate": (receipt.get("duplicate", False), case.duplicate),
        }
        wrong = {what: pair for what, pair in checks.items() if pair[0] != pair[1]}
        return f"{case.name}: {wrong} {receipt.get('problems')}" if wrong else None


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


@pytest.fixture
async def hall(given: Harness, kafka_broker) -> AsyncIterator[Hall]:
    tag = secrets.token_hex(3)
    senders = []
    written = [topic for topic in CATALOGUE.topics if "intake" in topic.writers]
    await kafka_broker.create_topics({topic.name: 1 for topic in written})
    for name in (f"surgery-{tag}", f"pharmacy-{tag}"):
        inbound, receipts = INBOUND_REFERRALS.of_sender(name), INBOUND_RECEIPTS.of_sender(name)
        senders.append(Sender(Upstream(name=name, inbound_topic=inbound, receipts_topic=receipts)))
        await kafka_broker.create_topics({inbound: 2, receipts: 2})
    there = Hall(given, kafka_broker, senders)
    there.register()
    async with _intake(given, kafka_broker):
        yield there


@asynccontextmanager
async def _intake(given: Harness, broker: Any) -> AsyncIterator[None]:
    """Intake's inbound consumer and its relay, in this process."""
    settings = given.service.settings.model_copy(
        update={
            "kafka_bootstrap": broker.bootstrap,
            "kafka_username": broker.username,
            "kafka_password": SecretStr(broker.password),
        }
    )
    [inbound] = [one for one in given.service.consumers if one.name == "inbound"]
    loop = ConsumerLoop(Dispatcher(inbound, given.transactions, ParkLimit(50, 0.5)), settings, "intake")
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for part in (loop, Relay("normal", "intake", settings, Wakes())):
            group.create_task(part.run(stopping))
        try:
            yield
        finally:
            stopping.set()


@pytest.mark.timeout(400)
async def test_every_record_gets_exactly_one_receipt_that_quotes_it(hall: Hall) -> None:
    surgery, pharmacy = hall.senders
    paper = Paper(surgery)
    questions(paper)
    assert len(paper.cases) > 61
    other = Paper(pharmacy)
    other.binary("two senders with one id", event_id="known")
    await hall.send(surgery, paper.cases)
    await hall.send(pharmacy, other.cases)
    cases = [*paper.cases, *other.cases]
    await hall.answered(cases)
    assert [wrong for case in cases if (wrong := hall.mark(case))] == []
    assert sum(map(len, hall.receipts.values())) == len(cases)
    assert not await hall.given.fetch("SELECT FROM chassis.dead_letter")
    await _holds_what_it_accepted(hall, cases)
    _tells_the_same_again(hall, paper)
    await _survives_batches_that_no_client_writes(hall, surgery)
    await _reads_every_codec(hall, surgery)
    await _answers_what_was_committed_alone(hall, surgery)
    await _answers_whoever_was_revoked(hall, surgery)
    await _reads_new_partitions(hall, pharmacy)


async def _holds_what_it_accepted(hall: Hall, cases: Sequence[Case]) -> None:
    told = [hall.receipt(case) for case in cases]
    accepted = {r["referral_id"] for r in told if r["kind"] == "accepted" and not r.get("dry_run")}
    # what other tests wrote to the demo's topic is read here, too
    own = ", ".join(f"'{sender.upstream.name}'" for sender in hall.senders)
    rows = await hall.given.fetch(f"SELECT id::text FROM referral WHERE source IN ({own})")
    assert {row["id"] for row in rows} == accepted


def _tells_the_same_again(hall: Hall, paper: Paper) -> None:
    by_name = {case.name: hall.receipt(case) for case in paper.cases}
    for first, again in (("an event", "the same event again"), ("a refusal by the schema", "the same again")):
        assert by_name[first] | {"record": None} == by_name[again] | {"record": None}
    sender = paper.sender.upstream.name
    assert metrics.INBOUND_RECORDS.labels(sender, "repeated")._value.get() == 2
    assert metrics.INBOUND_PROBLEMS.labels(sender, "id-reused")._value.get() == 4


async def _survives_batches_that_no_client_writes(hall: Hall, sender: Sender) -> None:
    """Each gets its receipt, and what comes behind it on the same partition is not held up."""
    paper = Paper(sender)
    for codec, unpacked in (("gzip", 100_000_000), ("lz4", 100_000_000), ("zstd", 500_000_000)):
        batch = wire.bomb(codec, unpacked)
        assert len(batch) < 1_000_000
        await hall.send_batch(sender, [paper.unread(f"a bomb of {codec}", "too-large")], batch)
    several = [paper.unread(f"record {number} of a bomb", "too-large") for number in range(3)]
    await hall.send_batch(sender, several, wire.bomb("zstd", 20_000_000, records=3))
    named = paper.unread("a header whose name is not UTF-8", "bad-header")
    body = json.dumps(paper.body()).encode()
    await hall.send_batch(sender, [named], wire.with_header_name(b"\xff\xfe", body))
    huge = json.dumps(paper.body()).encode().ljust(5_000_000)
    large = paper.binary("5 MB", "too-large", value=huge, event_id="5 MB", partition=0)
    last = paper.binary("behind all of them", event_id="behind", body=sender.body("S-1"), partition=0)
    await hall.send(sender, [large, last])
    await hall.answered(paper.cases)
    assert [wrong for case in paper.cases if (wrong := hall.mark(case))] == []
    assert not await hall.given.fetch("SELECT FROM chassis.dead_letter")


async def _reads_every_codec(hall: Hall, sender: Sender) -> None:
    papers = {codec: Paper(sender) for codec in ("none", "gzip", "snappy", "lz4", "zstd")}
    for place, (codec, paper) in enumerate(papers.items()):
        for size in (0, 100_000, 250_000):  # nearly all blanks, and nearly none
            said = sender.body(f"C{place}-{size}")
            value = json.dumps(said | {"padding": secrets.token_hex(size // 2)}).encode()
            paper.binary(f"{codec}, {size}", event_id=f"c{place}-{size}", value=value)
            blank = json.dumps(sender.body(f"B{place}-{size}")).encode().ljust(size)
            paper.binary(f"{codec}, {size} blanks", event_id=f"b{place}-{size}", value=blank)
        await hall.send(sender, paper.cases, codec=codec)
    cases = [case for paper in papers.values() for case in paper.cases]
    await hall.answered(cases)
    assert [wrong for case in cases if (wrong := hall.mark(case))] == []


async def _answers_what_was_committed_alone(hall: Hall, sender: Sender) -> None:
    paper = Paper(sender)
    body = sender.body("T-1")
    aborted = paper.binary("what was aborted", event_id="in a transaction", body=body, partition=0)
    kept = paper.binary("what was committed", event_id="in a transaction", body=body, partition=0)
    await hall.send(sender, [aborted], transaction=False)
    await hall.send(sender, [kept], transaction=True)
    await hall.answered([kept])
    assert hall.mark(kept) is None
    assert aborted.place not in hall.receipts


async def _answers_whoever_was_revoked(hall: Hall, sender: Sender) -> None:
    sender.upstream = changed(sender.upstream, revoked_at=datetime.now(UTC))
    hall.register()
    async with asyncio.timeout(30):
        while not _is_revoked(hall, sender):  # noqa: ASYNC110 # a file tells nobody that it was read
            await asyncio.sleep(0.1)
    paper = Paper(sender)
    case = paper.binary("a record in flight", "sender-revoked", event_id="in-flight")
    again = paper.binary("one that was answered before", event_id="known", body=sender.body("R-0"))
    again.codes = ("id-reused",)
    await hall.send(sender, paper.cases)
    await hall.answered(paper.cases)
    assert [wrong for case in (case, again) if (wrong := hall.mark(case))] == []


def _is_revoked(hall: Hall, sender: Sender) -> bool:
    known = hall.given.service.upstreams().named(sender.upstream.name)
    return known is not None and known.revoked_at is not None


async def _reads_new_partitions(hall: Hall, sender: Sender) -> None:
    topic = sender.upstream.inbound_topic or ""

    def grow() -> None:
        admin = AdminClient(hall.options)  # it must outlive the answer
        for future in admin.create_partitions([NewPartitions(topic, 4)]).values():
            future.result(30)

    await asyncio.to_thread(grow)
    paper = Paper(sender)
    for partition in range(4):
        paper.binary(
            f"on partition {partition}",
            event_id=f"grown-{partition}",
            body=sender.body(f"G-{partition}"),
            partition=partition,
        )
    await hall.send(sender, paper.cases)
    await hall.answered(paper.cases)
    assert [wrong for case in paper.cases if (wrong := hall.mark(case))] == []


def test_receipts_outlast_a_reader_who_returns_after_a_week() -> None:
    assert INBOUND_RECEIPTS.retention is not None
    assert INBOUND_RECEIPTS.retention.days > 14
