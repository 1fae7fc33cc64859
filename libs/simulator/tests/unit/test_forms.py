"""A request says the same in all three forms, and each form is valid for its way in."""

from __future__ import annotations

import csv
import io
from uuid import uuid4

from bdcan_chassis.clock import SystemClock
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_REFERRALS
from bdcan_contracts.envelope import decode, encode_body, encode_headers
from bdcan_contracts.models import InboundReferralSubmitted
from bdcan_simulator.borough import Borough
from bdcan_simulator.forms import COLUMNS, as_csv, as_event, as_json, as_row
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.postcodes import MadeUpPostcodes


def submissions(count: int):
    ledger = Ledger(run="r1")
    ledger.enter(Borough(5, MadeUpPostcodes()).residents(count))
    return list(ledger.submissions.values())


def test_every_event_is_readable_by_the_contract():
    kind = CATALOGUE.of(InboundReferralSubmitted)
    for submission in submissions(300):
        body = as_event(submission)
        subject = kind.subject_of(body)
        headers = encode_headers(kind, uuid4(), submission.source, subject, SystemClock().now(), None)
        event = decode(CATALOGUE, INBOUND_REFERRALS.name, subject.encode(), headers, encode_body(body))
        assert event.data == body


def test_json_and_csv_say_what_the_event_says():
    for submission in submissions(300):
        body, row = as_json(submission), as_row(submission)
        assert body["reference"] == row["reference"] == submission.reference
        assert row["needs"] == ";".join(body["needs"])
        assert row["postcode"] == body.get("person", {}).get("postcode", "")
        assert row["adults"] == str(body.get("household", {}).get("adults", ""))
        assert not {"source", "unclear"} & body.keys(), "only the topic knows these"
        assert body.get("outreach", False) == submission.resident.system.outreach


def test_csv_keeps_notes_and_commas():
    rows = [as_row(s) for s in submissions(200)]
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert read == rows
    assert tuple(read[0]) == COLUMNS
