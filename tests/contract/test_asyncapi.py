"""`asyncapi.yaml` is AsyncAPI 3.0 by its own JSON Schema, and says what the catalogue says.

`asyncapi-3.0.0.schema.json.gz` is `schemas/3.0.0.json` of the npm package @asyncapi/specs 6.11.1 (Apache License 2.0,
https://github.com/asyncapi/spec-json-schemas), minified; it is kept here so that the test needs neither Node nor network.
"""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bdcan_contract_tools.sources import Sources
from bdcan_contracts.catalogue import CATALOGUE

METASCHEMA = Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz")


@pytest.fixture(scope="module")
def document(sources: Sources) -> dict[str, Any]:
    return yaml.safe_load((sources.root / "asyncapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def asyncapi() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(gzip.decompress(METASCHEMA.read_bytes())))


def test_document_is_valid_asyncapi_3(document, asyncapi):
    assert [
        f"{list(error.instance_path)}: {error.message[:200]}" for error in asyncapi.iter_errors(document)
    ] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("info"),
        lambda d: d["channels"][next(iter(d["channels"]))]["bindings"]["kafka"].update(partitions="many"),
        lambda d: d["operations"][next(iter(d["operations"]))].update(action="publish"),
        lambda d: d["components"]["messages"][next(iter(d["components"]["messages"]))].update(topic="x"),
    ],
)
def test_spoiled_document_is_refused(document, asyncapi, spoil):
    spoiled = copy.deepcopy(document)
    spoil(spoiled)

    assert not asyncapi.is_valid(spoiled)


def test_every_reference_resolves(document):
    def references(node: Any):
        if isinstance(node, dict):
            yield from (value for key, value in node.items() if key == "$ref")
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = set(references(document))
    assert len(found) > 100
    for reference in found:
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_document_has_every_channel_message_and_both_ends(document):
    assert set(document["channels"]) == set(CATALOGUE.by_topic)
    assert set(document["components"]["messages"]) == set(CATALOGUE.by_type)
    ends = {
        (name.split(".", 1)[0], name.split(".")[1], operation["channel"]["$ref"].removeprefix("#/channels/"))
        for name, operation in document["operations"].items()
    }
    assert ends == {
        *((writer, "writes", topic.name) for topic in CATALOGUE.topics for writer in topic.writers),
        *(
            (consumer.service, "reads", topic.name)
            for topic in CATALOGUE.topics
            for consumer in topic.consumers
        ),
    }


def test_an_upstream_system_sends_and_gets_a_receipt_on_topics_of_its_own(document):
    writes = document["operations"]["upstream.writes.bdcan.intake.inbound-referrals.v1"]
    reads = document["operations"]["upstream.reads.bdcan.intake.inbound-receipts.v1"]
    assert (writes["action"], reads["action"]) == ("send", "receive")
    assert writes["reply"]["channel"] == reads["channel"]
    for operation in (writes, reads):
        channel = document["channels"][operation["channel"]["$ref"].removeprefix("#/channels/")]
        assert channel["address"].endswith(".{sender}")
        assert set(channel["parameters"]) == {"sender"}


def test_every_server_asks_for_scram_and_production_for_tls(document):
    assert set(document["servers"]) == {"production", "local", "compose"}
    assert document["servers"]["production"]["protocol"] == "kafka-secure"
    for server in document["servers"].values():
        assert server["security"] == [{"$ref": "#/components/securitySchemes/scram"}]
    assert document["components"]["securitySchemes"]["scram"]["type"] == "scramSha512"


def test_every_message_shows_each_example_with_headers_that_fit(document, sources: Sources):
    schemas = document["components"]["schemas"]
    for name, message in document["components"]["messages"].items():
        assert [one["name"] for one in message["examples"]] == [path.stem for path in sources.examples(name)]
        headers = jsonschema_rs.validator_for(schemas[message["headers"]["$ref"].rpartition("/")[2]])
        for example in message["examples"]:
            headers.validate(example["headers"])
            assert example["headers"]["ce_type"] == name
