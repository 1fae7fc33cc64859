"""The generated Python says what the files say."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from bdcan_contract_tools.sources import Sources
from bdcan_contracts import catalogue, models, vocabulary
from bdcan_contracts.catalogue import CATALOGUE, PERSONAL_FIELDS
from bdcan_contracts.envelope import consumed_types


def test_catalogue_says_the_same_as_the_topic_files(sources: Sources):
    assert [topic.name for topic in CATALOGUE.topics] == [topic.name for topic in sources.topics]
    for written in sources.topics:
        topic = CATALOGUE.by_topic[written.name]
        kept = timedelta(days=written.retention_days) if written.retention_days else None
        assert (topic.owner, topic.writers, topic.key, topic.traffic_class) == (
            written.owner,
            written.writers,
            written.key,
            written.traffic_class,
        )
        assert (topic.partitions, topic.retention, topic.compacted, topic.per_sender) == (
            written.partitions,
            kept,
            kept is None,
            written.per_sender,
        )
        assert topic.personal_data == written.personal_data
        assert topic.event_types == written.types
        assert {c.service: c.types for c in topic.consumers} == {
            c.service: tuple(c.reads) for c in written.consumers
        }
        assert getattr(catalogue, written.constant) is topic


def test_usual_topic_comes_first_and_bulk_only_on_request():
    received = CATALOGUE.of(models.ReferralReceived)

    assert received.topic_in(None) is catalogue.REFERRALS
    assert received.topic_in("bulk") is catalogue.OUTREACH_REFERRALS
    with pytest.raises(LookupError, match="urgent"):
        received.topic_in("urgent")


def test_only_what_upstream_systems_write_and_read_is_per_sender():
    assert {topic.name for topic in CATALOGUE.topics if topic.per_sender} == {
        catalogue.INBOUND_REFERRALS.name,
        catalogue.INBOUND_RECEIPTS.name,
    }


def test_topic_of_a_sender_is_known_by_its_base():
    own = catalogue.INBOUND_REFERRALS.of_sender("riverside-surgery")

    assert own == "bdcan.intake.inbound-referrals.v1.riverside-surgery"
    assert CATALOGUE.topic_of(own) is catalogue.INBOUND_REFERRALS
    assert CATALOGUE.topic_of(catalogue.REFERRALS.name) is catalogue.REFERRALS
    for name in (
        f"{catalogue.REFERRALS.name}.riverside-surgery",
        f"{catalogue.INBOUND_REFERRALS.name}.",
        f"{own}.again",
        "elsewhere",
    ):
        with pytest.raises(LookupError):
            CATALOGUE.topic_of(name)
    with pytest.raises(LookupError):
        catalogue.REFERRALS.of_sender("riverside-surgery")


def test_bulk_topic_matches_its_normal_twin():
    bulk = [topic for topic in CATALOGUE.topics if topic.traffic_class == "bulk"]
    assert bulk
    for topic in bulk:
        twin = CATALOGUE.by_topic[topic.name.replace("outreach-", "")]
        assert (twin.event_types, twin.key, twin.partitions) == (
            topic.event_types,
            topic.key,
            topic.partitions,
        )
        assert twin.traffic_class == "normal"


@pytest.mark.parametrize("event_type", CATALOGUE.event_types, ids=lambda e: e.type)
def test_subject_is_the_filled_in_key_template(sources: Sources, event_type):
    body = event_type.model.model_validate_json(
        (sources.root / "examples" / event_type.type / "full.json").read_bytes()
    )

    for topic in event_type.topics:
        assert event_type.subject_of(body) == topic.key.format(**body.model_dump())


def test_exactly_one_lane_serves_each_need():
    assert set(vocabulary.NEEDS) == set(vocabulary.NeedCode)
    assert set(vocabulary.LANES) == set(models.Lane)


def test_only_upstream_writes_and_only_intake_reads_the_inbound_topic():
    topic = catalogue.INBOUND_REFERRALS

    assert topic.writers == ("upstream",)
    assert [consumer.service for consumer in topic.consumers] == ["intake"]
    assert topic.retention is not None
    assert topic.retention <= timedelta(days=3)
    assert {
        "name",
        "phone",
        "phone_e164",
        "email",
        "birth_date",
        "nhs_number",
        "address",
        "postcode",
        "notes",
    } <= PERSONAL_FIELDS


def test_topics_of_a_service_can_be_listed():
    read = {(topic.name, type_name) for topic, type_name in consumed_types(CATALOGUE, "routing")}

    assert ("bdcan.intake.outreach-referrals.v1", "bdcan.intake.referral.received.v1") in read
    assert all(name.startswith("bdcan.intake.") for name, _ in read)


def test_importing_the_envelope_builds_no_model():
    code = "import sys, bdcan_contracts.envelope; sys.exit('bdcan_contracts.models' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_models_are_frozen():
    household = models.Household(adults=2)

    with pytest.raises(ValueError, match="frozen"):
        household.adults = 3  # pyright: ignore[reportAttributeAccessIssue]
    assert (household.children, household.infants) == (0, 0)
