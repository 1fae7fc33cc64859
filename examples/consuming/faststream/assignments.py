"""A FastStream subscriber that keeps, for each referral, the hub that has it: `faststream run assignments:app`.

A crash may bring an event a second time, so the event's name and its effect are kept in one transaction.
"""

import logging
import os
import sqlite3
import ssl
from pathlib import Path

from aiokafka import ConsumerRecord
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import SASLScram512
from pydantic import ValidationError

from bdcan_contracts.models import ReferralAssigned, ReferralReassigned

MODELS = {
    "bdcan.routing.referral.assigned.v1": ReferralAssigned,
    "bdcan.routing.referral.reassigned.v1": ReferralReassigned,
}
"""What this reader understands. It ignores all other types: new ones come without a warning."""

KEEP = """
INSERT INTO assignment VALUES (?, ?, ?)
ON CONFLICT (referral_id) DO UPDATE SET version = excluded.version, hub_id = excluded.hub_id
WHERE version < excluded.version
"""
"""A lower version is old news, whichever topic it came by."""


def password() -> str:
    """The password, from BDCAN_PASSWORD or from the file that BDCAN_PASSWORD_FILE names."""
    if file := os.environ.get("BDCAN_PASSWORD_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ["BDCAN_PASSWORD"]


ca_file = os.environ.get("BDCAN_CA_FILE")  # where no public authority signed the broker's certificate
is_encrypted = os.environ.get("BDCAN_PROTOCOL", "SASL_SSL") == "SASL_SSL"
broker = KafkaBroker(
    os.environ["BDCAN_BOOTSTRAP"],
    allow_auto_create_topics=False,  # a reader may make no topics
    security=SASLScram512(
        username=os.environ["BDCAN_USER"],
        password=password(),
        use_ssl=is_encrypted,
        ssl_context=ssl.create_default_context(cafile=ca_file) if is_encrypted else None,
    ),
)
app = FastStream(broker)
log = logging.getLogger("assignments")
database = sqlite3.connect(os.environ.get("BDCAN_DATABASE", "assignments.sqlite"))
database.executescript(
    """
    CREATE TABLE IF NOT EXISTS seen (source TEXT, id TEXT, PRIMARY KEY (source, id));
    CREATE TABLE IF NOT EXISTS assignment (referral_id TEXT PRIMARY KEY, version INTEGER, hub_id TEXT);
    """
)


async def as_it_came(message: KafkaMessage) -> bytes:
    """The body as bytes: the contract's own model reads it, not FastStream."""
    return message.body


@broker.subscriber(
    os.environ["BDCAN_TOPIC"],
    group_id=os.environ["BDCAN_GROUP"],  # begins with the prefix that you were given
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.MANUAL,
    decoder=as_it_came,
)
async def follow(body: bytes, message: KafkaMessage) -> None:
    """Each event, once for all; acknowledged when its effect is kept."""
    take(body, message)
    await message.ack()


def take(body: bytes, message: KafkaMessage) -> None:
    """Keeps what an event says, and that it was seen."""
    headers = message.headers
    model = MODELS.get(headers.get("ce_type", ""))
    if model is None:
        return
    try:
        said = model.model_validate_json(body)
    except ValidationError as error:
        # one bad event must not stop all that follow
        record = message.raw_message
        offset = record.offset if isinstance(record, ConsumerRecord) else None
        log.error(
            "offset %s cannot be read: %s", offset, error.errors(include_input=False, include_url=False)
        )
        return
    with database:
        name = (headers["ce_source"], headers["ce_id"])
        if database.execute("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", name).rowcount:
            database.execute(KEEP, (str(said.referral_id), said.version, said.hub_id))
