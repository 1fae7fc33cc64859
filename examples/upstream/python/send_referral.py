"""Sends one request to BD CAN Plus and waits for its receipt: `python send_referral.py [REFERENCE]`.

`python send_referral.py amend REFERENCE` and `… withdraw REFERENCE` change what was sent under that reference.
It ends with 0 when the request was accepted, with 1 when it was refused, with 2 when no receipt came in time.
"""

import os
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

TYPES = {
    "submit": "bdcan.intake.inbound-referral.submitted.v1",
    "amend": "bdcan.intake.inbound-referral.amended.v1",
    "withdraw": "bdcan.intake.inbound-referral.withdrawn.v1",
}
ACCEPTED = "bdcan.intake.inbound-referral.accepted.v1"
REFUSED = "bdcan.intake.inbound-referral.refused.v1"

source = os.environ["BDCAN_SOURCE"]
wait_seconds = float(os.environ.get("BDCAN_WAIT_SECONDS", "60"))


def password() -> str:
    """The password, from BDCAN_PASSWORD or from the file that BDCAN_PASSWORD_FILE names."""
    if file := os.environ.get("BDCAN_PASSWORD_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ["BDCAN_PASSWORD"]


connection = {
    "bootstrap.servers": os.environ["BDCAN_BOOTSTRAP"],
    "security.protocol": os.environ.get("BDCAN_PROTOCOL", "SASL_SSL"),
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": os.environ["BDCAN_USER"],
    "sasl.password": password(),
}
if ca_file := os.environ.get("BDCAN_CA_FILE"):  # where no public authority signed the broker's certificate
    connection["ssl.ca.location"] = ca_file


def body(verb: str, reference: str) -> dict[str, Any]:
    """What a request says. An amendment carries what changes, and nothing else."""
    named = {"source": source, "reference": reference}
    if verb == "withdraw":
        return named | {"reason": "no-longer-needed"}
    if verb == "amend":
        return named | {"person": {"phone": "07700 900418"}, "notes": "Ring after ten."}
    return named | {
        "channel": "gp",
        "person": {"name": "Amina Example", "phone": "07700 900417", "postcode": "RM10 8XX"},
        "needs": ["food-parcel", "prescription"],
    }


def request(verb: str, reference: str) -> CloudEvent:
    """A request. Send it again under the same id where you are not sure that it arrived."""
    return CloudEvent(
        {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": source,
            "type": TYPES[verb],
            "subject": f"{source}:{reference}",
            "time": datetime.now(UTC),
            "datacontenttype": "application/json",
        },
        body(verb, reference),
    )


def send(event: CloudEvent) -> None:
    """Sends it. The producer retries for two minutes, and no retry makes a second record."""
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    # one key, one order: what you say later about a referral is read later
    record = to_binary_event(event, key_mapper=lambda e: e.get_subject())
    producer = Producer(
        connection | {"enable.idempotence": True, "acks": "all", "delivery.timeout.ms": 120_000}
    )
    producer.produce(
        os.environ["BDCAN_INBOUND_TOPIC"],
        record.value,
        record.key,
        headers=record.headers,
        on_delivery=delivered,
    )
    producer.flush()
    if failures:
        raise KafkaException(failures[0])


def receipt_of(sent: CloudEvent) -> BaseCloudEvent | None:
    """The receipt of this event. The group remembers what it has read, so the next run goes on from there."""
    seen: set[tuple[str, str]] = set()
    group = os.environ["BDCAN_GROUP"]  # begins with the prefix that you were given
    consumer = Consumer(
        connection | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([os.environ["BDCAN_RECEIPTS_TOPIC"]])
    try:
        end = time.monotonic() + wait_seconds
        while time.monotonic() < end:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if error := message.error():
                if error.retriable():
                    continue
                raise KafkaException(error)
            event = read(message)
            if (
                event is not None and (event.get_source(), event.get_id()) not in seen
            ):  # a receipt may come twice
                seen.add((event.get_source(), event.get_id()))
                if event.get_type() in {ACCEPTED, REFUSED} and answers(event.get_data(), sent):
                    consumer.commit(message=message, asynchronous=False)
                    return event
            consumer.commit(message=message)  # after the work: what was not committed is read again
        return None
    finally:
        consumer.close()


def answers(receipt: Any, sent: CloudEvent) -> bool:
    """Whether a receipt is about this event: it quotes the record that it answers."""
    return receipt.get("record", {}).get("id") == sent.get_id()


def read(message: Message) -> BaseCloudEvent | None:
    """The event of a record, or None where a later version of ours wrote what this SDK cannot read."""
    headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
    try:
        return from_binary_event(KafkaMessage(headers, message.key(), message.value() or b""))
    except (BaseCloudEventException, ValueError, KeyError) as error:
        print(
            f"a record of partition {message.partition()} at {message.offset()} is no event: {error}",
            file=sys.stderr,
        )
        return None


def main() -> int:
    """One request and its receipt."""
    words = sys.argv[1:]
    verb = words.pop(0) if words and words[0] in TYPES else "submit"
    reference = words[0] if words else f"python-{int(time.time())}"
    event = request(verb, reference)
    send(event)
    print(f"sent {source}:{reference} with the id {event.get_id()}")
    receipt = receipt_of(event)
    if receipt is None:
        print(f"no receipt within {wait_seconds:.0f} seconds: send the same event again, under the same id")
        return 2
    data = receipt.get_data()
    if receipt.get_type() == ACCEPTED:
        what = "a duplicate" if data["duplicate"] else f"{verb}: it is {data['state']}"
        print(f"accepted as referral {data['referral_id']} ({what})")
        return 0
    print("refused:")
    for problem in data["problems"]:
        print(f"  {problem['field'] or 'the record'}: {problem['message']} ({problem['code']})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
