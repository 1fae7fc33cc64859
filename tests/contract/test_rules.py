"""`check` finds nothing here, and finds each breach of a rule in a copy that is broken on purpose."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bdcan_contract_tools import generated
from bdcan_contract_tools.cli import breaches, main
from bdcan_contract_tools.sources import SourceError, Sources, load

RECEIVED = "bdcan.intake.referral.received.v1"
REFERRALS = "bdcan.intake.referrals.v1"


def test_check_finds_nothing_here_in_under_ten_seconds(sources: Sources):
    start = time.monotonic()

    assert list(breaches(sources)) == []
    assert time.monotonic() - start < 10


def schema(edit: Callable[[dict], object], type_name: str = RECEIVED) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "events" / f"{type_name}.schema.json"
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    return apply


def topic(edit: Callable[[dict], object], name: str = REFERRALS) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "topics" / f"{name}.yaml"
        content = yaml.safe_load(path.read_text())
        edit(content)
        path.write_text(yaml.safe_dump(content))

    return apply


def example(edit: Callable[[dict], object], name: str = "full") -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "examples" / RECEIVED / f"{name}.json"
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    return apply


CODE = {"$ref": "urn:bdcan:schema:common#/$defs/Code", "description": "A code.", "x-personal-data": "none"}


def word(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "vocabulary" / f"{name}.yaml"
        path.write_text(path.read_text().replace(old, new, 1))

    return apply


def field(name: str, **keywords: object) -> Callable[[Path], None]:
    return schema(lambda s: s["properties"][name].update(keywords))


def without(name: str, keyword: str) -> Callable[[Path], None]:
    return schema(lambda s: s["properties"][name].pop(keyword))


BREACHES: list[tuple[str, Callable[[Path], object]]] = [
    ("does not say x-personal-data", without("channel", "x-personal-data")),
    ("channel has no description", without("channel", "description")),
    ("postcode is a string without maxLength", without("postcode", "maxLength")),
    ("needs is an array without maxItems", without("needs", "maxItems")),
    (
        "is a number without minimum and maximum",
        schema(lambda s: s["$defs"]["Household"]["properties"]["adults"].pop("maximum"), "common"),
    ),
    (
        "which only bdcan.intake.inbound-referrals.v1 may",
        field("postcode", **{"x-personal-data": "personal"}),
    ),
    ("its events hold pseudonymous", topic(lambda t: t.update(personal_data="none"))),
    ("$id is not", schema(lambda s: s.update({"$id": "urn:x"}))),
    ("the title does not follow", schema(lambda s: s.update(title="Received"))),
    (
        "has a schema but no topic",
        topic(lambda t: t["types"].remove("bdcan.routing.hub.paused.v1"), "bdcan.routing.hubs.v1"),
    ),
    ("is on a topic but has no schema", lambda root: (root / "events" / f"{RECEIVED}.schema.json").unlink()),
    (
        "examples/bdcan.intake.moon.landed.v1: no such",
        lambda root: (root / "examples" / "bdcan.intake.moon.landed.v1").mkdir(),
    ),
    (
        "nothing refers to Moon",
        schema(
            lambda s: s["$defs"].update(Moon={"type": "string", "enum": ["full"], "description": "x"}),
            "common",
        ),
    ),
    (
        "holds another topic",
        lambda root: (root / "topics" / f"{REFERRALS}.yaml").rename(root / "topics" / "other.yaml"),
    ),
    ("its owner is in its name", topic(lambda t: t.update(owner="routing"))),
    ("has another owner", topic(lambda t: t["types"].append("bdcan.routing.hub.paused.v1"))),
    ("the key names no field", topic(lambda t: t.update(key="all"))),
    ("its topics have different keys", topic(lambda t: t.update(key="{channel}"))),
    ("which the key is made of", topic(lambda t: t.update(key="{postcode}"))),
    ("either consumers, or unread_because", topic(lambda t: t.update(consumers=[]))),
    (
        "which is not carried here",
        topic(lambda t: t["consumers"][0]["reads"].update({"bdcan.routing.hub.paused.v1": ["hub_id"]})),
    ),
    (
        "reads unknown fields of",
        topic(lambda t: t["consumers"][0]["reads"].update({RECEIVED: ["shoe_size"]})),
    ),
    ("lacks minimal", lambda root: (root / "examples" / RECEIVED / "minimal.json").unlink()),
    ("is not full: it lacks ['postcode']", example(lambda e: e.pop("postcode"))),
    (
        "note names a list of vocabulary/ as x-vocabulary if it is a Code",
        schema(lambda s: s["properties"].update(note=CODE | {"x-vocabulary": None})),
    ),
    (
        "note is the code of a need, so the event carries its lane",
        schema(lambda s: s["properties"].update(note=CODE | {"x-vocabulary": "NeedCode"})),
    ),
    ("names its parcel, and no other helper", word("needs", "parcel: food-parcel", "task: errand")),
    ("knitting is no kind of task", word("needs", "task: errand", "task: knitting")),
    ("is `always`, or a list of flags", word("needs", "[shielding]", "[tall]")),
    ("a code is lower-case words with hyphens", word("diets", "halal:", "Halal:")),
    ("lacks ['title']", word("diets", "title: Halal, ", "")),
    ("lanes.yaml: names", word("lanes", "community:", "communal:")),
    ("is not minimal", example(lambda e: e.update(diets=[]), "minimal")),
    ("that the schema does not name: ['x']", example(lambda e: e.update(x=1))),
    ('is not a "uuid"', example(lambda e: e.update(referral_id="12"))),
    ("is refused by the model ReferralReceived", example(lambda e: e.update(channel="a fax"))),
    ("models.py: is stale", field("channel", description="Other words.")),
    ("catalogue.py: is stale", topic(lambda t: t.update(partitions=7))),
    ("asyncapi.yaml: is stale", topic(lambda t: t.update(partitions=7))),
    ("events.md: is stale", topic(lambda t: t.update(purpose="Other words."))),
    ("changed since its release", field("channel", description="Other words.")),
    ("is in no lock", lambda root: (root / "released" / "x.json").write_text("{}")),
    ("an old reader may meet", field("postcode", maxLength=99)),
]


@pytest.mark.parametrize(("sentence", "spoil"), BREACHES, ids=[row[0] for row in BREACHES])
def test_check_names_a_breach(copied: Path, sentence: str, spoil: Callable[[Path], object]):
    spoil(copied)

    assert [fault for fault in breaches(load(copied)) if sentence in fault]


@pytest.mark.parametrize(
    ("sentence", "spoil"),
    [
        ("a $ref may only name a shared definition", field("channel", **{"$ref": "urn:elsewhere"})),
        ("type is one of", field("postcode", type="null")),
        ("no model can hold ['multipleOf']", field("postcode", multipleOf=2)),
        ("no model can hold ['uniqueItems']", field("needs", uniqueItems=True)),
        ("allows additional properties", schema(lambda s: s.update(additionalProperties=False))),
        ("a required field has no default", field("outreach", default=False)),
        ("a list that is absent is empty", field("flags", default=[])),
        ("unknown entries", topic(lambda t: t.update(colour="blue"))),
        ("either retention_days or", topic(lambda t: t.update(cleanup="compact"))),
        ("traffic_class is one of", topic(lambda t: t.update(traffic_class="slow"))),
        (
            "received.v1.schema.json",
            lambda root: (root / "events" / f"{RECEIVED}.schema.json").write_text("{"),
        ),
    ],
)
def test_contract_that_cannot_be_kept_is_not_generated(
    copied: Path, sentence: str, spoil: Callable[[Path], object]
):
    spoil(copied)

    with pytest.raises(SourceError) as caught:
        generated.files(load(copied))
    assert sentence in str(caught.value)


def test_generate_refreshes_stale_files_and_then_writes_none(copied: Path):
    topic(lambda t: t.update(partitions=7))(copied)

    assert {path.name for path in generated.write(load(copied))} == {
        "catalogue.py",
        "asyncapi.yaml",
        "events.md",
    }

    assert list(generated.stale(load(copied))) == []
    assert list(generated.write(load(copied))) == []


def test_generated_file_says_so_in_its_first_line(sources: Sources):
    for path, text in generated.files(sources).items():
        head = json.loads(text)["$comment"] if path.suffix == ".json" else text.splitlines()[0]
        assert "Generated" in head, path.name


def test_breach_fails_the_command_and_is_printed(copied: Path, capsys: pytest.CaptureFixture[str]):
    topic(lambda t: t.update(partitions=7))(copied)

    assert main(["--schemas", str(copied), "check"]) == 1
    assert "catalogue.py: is stale" in capsys.readouterr().err
    assert main(["--schemas", str(copied), "generate"]) == 0
    assert main(["--schemas", str(copied), "check"]) == 0
