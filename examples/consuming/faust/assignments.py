"""A Faust agent that keeps, for each referral, the hub that has it: `python assignments.py worker -l info`.

A crash may bring an event a second time, so the event's name and its effect are kept in one transaction.
"""

import os
import sqlite3
import ssl
from pathlib import Path

import faust
from faust.types import EventT
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
app = faust.App(
    os.environ["BDCAN_GROUP"],  # begins with the prefix that you were given
    broker=f"kafka://{os.environ['BDCAN_BOOTSTRAP']}",
    broker_credentials=faust.SASLCredentials(
        username=os.environ["BDCAN_USER"],
        password=password(),
        mechanism="SCRAM-SHA-512",
        ssl_context=ssl.create_default_context(cafile=ca_file) if is_encrypted else None,
    ),
    consumer_auto_offset_reset="earliest",
    topic_allow_declare=False,  # a reader may make no topics
    topic_disable_leader=True,
    store="memory://",
    web_enabled=False,
)
assignments = app.topic(
    os.environ["BDCAN_TOPIC"], value_type=bytes, value_serializer="raw", key_serializer="raw"
)
database = sqlite3.connect(os.environ.get("BDCAN_DATABASE", "assignments.sqlite"))
database.executescript(
    """
    CREATE TABLE IF NOT EXISTS seen (source TEXT, id TEXT, PRIMARY KEY (source, id));
    CREATE TABLE IF NOT EXISTS assignment (referral_id TEXT PRIMARY KEY, version INTEGER, hub_id TEXT);
    """
)


@app.agent(assignments)
async def follow(stream: faust.Stream[bytes]) -> None:
    """Each event, once for all; Faust acknowledges it after this."""
    async for event in stream.events():
        take(event)


def take(event: EventT) -> None:
    """Keeps what an event says, and that it was seen."""
    headers = {name: value.decode() for name, value in dict(event.headers).items()}
    model = MODELS.get(headers.get("ce_type", ""))
    if model is None:
        return
    try:
        said = model.model_validate_json(event.value)
    except ValidationError as error:
        # one bad event must not stop all that follow
        app.log.error(
            "offset %s cannot be read: %s",
            event.message.offset,
            error.errors(include_input=False, include_url=False),
        )
        return
    with database:
        name = (headers["ce_source"], headers["ce_id"])
        if database.execute("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", name).rowcount:
            database.execute(KEEP, (str(said.referral_id), said.version, said.hub_id))


if __name__ == "__main__":
    app.main()
