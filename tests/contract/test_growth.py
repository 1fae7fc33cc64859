"""A released contract only grows, and a change that would break a reader names the reader."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdcan_contract_tools import compat, generated, releases
from bdcan_contract_tools.cli import main
from bdcan_contract_tools.sources import SourceError, load
from bdcan_contracts.models import Lane, ReferralReceived
from bdcan_contracts.vocabulary import LANES, NEEDS, help_for

RECEIVED = "bdcan.intake.referral.received.v1"
Change = Callable[[dict[str, Any]], Any]


def change(root: Path, type_name: str, edit: Change) -> None:
    """Edit one schema file of a copy; `common` edits the shared definitions."""
    path = root / "events" / f"{type_name}.schema.json"
    schema = json.loads(path.read_text())
    edit(schema)
    path.write_text(json.dumps(schema))


def found(root: Path) -> list[compat.Unproven]:
    return list(compat.unproven(load(root), releases.released(root)))


def optional(schema: dict[str, Any], name: str = "x_new") -> None:
    schema["properties"][name] = {
        "type": "string",
        "maxLength": 9,
        "description": "New.",
        "x-personal-data": "none",
    }


def household(schema: dict[str, Any]) -> dict[str, Any]:
    return schema["$defs"]["Household"]


def no_change(schema: dict[str, Any]) -> None:
    del schema


def respell(released: str, now: str) -> Callable[[Path], None]:
    """One pattern as it was released, and as it is written now."""

    def edit(root: Path) -> None:
        path = root / "released" / f"{RECEIVED}.json"
        schema = json.loads(path.read_text())
        schema["properties"]["postcode"]["pattern"] = released
        path.write_text(json.dumps(schema))
        lock = root / "released.lock"
        lines = [line for line in lock.read_text().splitlines() if not line.endswith(f"  {RECEIVED}")]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lock.write_text("\n".join([*lines, f"{digest}  {RECEIVED}"]) + "\n")
        change(root, RECEIVED, lambda s: s["properties"]["postcode"].update(pattern=now))

    return edit


@pytest.mark.parametrize(
    ("released", "now"),
    [
        (r"^[^\u0000]*$", r"^[^\x00]*$"),
        (r"^[\u0041-\u005a]*$", r"^[\x41-\x5A]*$"),
        (r"^\\\u0000$", r"^\\\x00$"),
    ],
)
def test_another_spelling_of_one_character_in_a_pattern_is_no_change(copied: Path, released: str, now: str):
    respell(released, now)(copied)

    assert found(copied) == []


@pytest.mark.parametrize(
    ("released", "now"),
    [
        (r"^[^\u0000]*$", r"^[^\x01]*$"),
        (r"^[^\u0000]*$", r"^[^\\x00]*$"),
        (r"^[^\\u0000]*$", r"^[^\\x00]*$"),
        (r"^[^\u0100]*$", r"^[^\x01\x00]*$"),
        (r"^[^\u0000]*$", r"^[^\u0000]+$"),
    ],
)
def test_a_pattern_that_says_something_else_is_a_change(copied: Path, released: str, now: str):
    respell(released, now)(copied)

    assert [fault.field for fault in found(copied)] == ["postcode"]


def test_a_list_needs_no_default_to_be_empty_where_it_is_absent(copied: Path):
    released = copied / "released" / f"{RECEIVED}.json"
    schema = json.loads(released.read_text())
    schema["properties"]["flags"]["default"] = []
    old = {RECEIVED: schema}

    assert list(compat.unproven(load(copied), old)) == []
    schema["properties"]["flags"]["default"] = ["shielding"]
    assert [fault.field for fault in compat.unproven(load(copied), old)] == ["flags"]


ADDITIVE: list[tuple[str, str, Change]] = [
    ("nothing", RECEIVED, no_change),
    ("an optional field", RECEIVED, optional),
    ("an optional field of a shared part", "common", lambda s: optional(household(s), "pets")),
    ("another description", RECEIVED, lambda s: s["properties"]["needs"].update(description="Other words.")),
    ("another order", RECEIVED, lambda s: s.update(properties=dict(reversed(s["properties"].items())))),
]

UNPROVEN: list[tuple[str, str, Change, str]] = [
    ("a required field", RECEIVED, lambda s: (optional(s), s["required"].append("x_new")), "x_new"),
    ("a required field, once optional", RECEIVED, lambda s: s["required"].append("postcode"), "postcode"),
    ("an optional field, once required", RECEIVED, lambda s: s["required"].remove("channel"), "channel"),
    ("an optional field gone", RECEIVED, lambda s: s["properties"].pop("postcode"), "postcode"),
    (
        "a required field gone",
        RECEIVED,
        lambda s: (s["properties"].pop("channel"), s["required"].remove("channel")),
        "channel",
    ),
    ("another type", RECEIVED, lambda s: s["properties"]["outreach"].update(type="string"), "outreach"),
    ("a longer text", RECEIVED, lambda s: s["properties"]["postcode"].update(maxLength=99), "postcode"),
    ("a shorter text", RECEIVED, lambda s: s["properties"]["postcode"].update(maxLength=4), "postcode"),
    ("more items", RECEIVED, lambda s: s["properties"]["needs"].update(maxItems=500), "needs"),
    ("another pattern", RECEIVED, lambda s: s["properties"]["postcode"].update(pattern="^R"), "postcode"),
    (
        "another format",
        RECEIVED,
        lambda s: s["properties"]["received_at"].update(format="date"),
        "received_at",
    ),
    (
        "another default",
        "common",
        lambda s: household(s)["properties"]["children"].update(default=1),
        "household",
    ),
    (
        "an inner pattern",
        "common",
        lambda s: household(s)["properties"]["adults"].update(minimum=1),
        "household",
    ),
    ("an inner field gone", "common", lambda s: household(s)["properties"].pop("infants"), "household"),
    ("an inner required field", "common", lambda s: household(s)["required"].append("children"), "household"),
    ("a new word", "common", lambda s: s["$defs"]["Priority"]["enum"].append("whenever"), "priority"),
    ("a word gone", "common", lambda s: s["$defs"]["Priority"]["enum"].remove("routine"), "priority"),
]


@pytest.mark.parametrize(
    ("type_name", "edit"), [row[1:] for row in ADDITIVE], ids=[row[0] for row in ADDITIVE]
)
def test_additive_change_is_proven(copied: Path, type_name: str, edit: Change):
    change(copied, type_name, edit)

    assert found(copied) == []


@pytest.mark.parametrize(
    ("type_name", "edit", "field"), [row[1:] for row in UNPROVEN], ids=[row[0] for row in UNPROVEN]
)
def test_any_other_change_names_the_field_and_the_readers(
    copied: Path, type_name: str, edit: Change, field: str
):
    change(copied, type_name, edit)

    mine = [fault for fault in found(copied) if fault.type == RECEIVED]

    assert [fault.field for fault in mine] == [field]
    assert [reader.split(" ")[0] for reader in mine[0].breaks] == ["routing"]
    assert "routing" in str(mine[0])


def test_a_new_word_changes_no_contract_and_old_readers_take_it(copied: Path):
    path = copied / "vocabulary" / "needs.yaml"
    path.write_text(
        path.read_text()
        + """
    easter-eggs: {lane: food, title: Easter eggs, words: [eggs], parcel: food-parcel, audience: everyone, description: "Eggs."}
"""
    )
    sources = load(copied)
    assert "easter-eggs" in sources.vocabulary.needs
    assert found(copied) == []
    assert list(releases.unreleased(sources)) == []
    assert {path.name for path in generated.write(sources)} == {"vocabulary.py", "vocabulary.md"}

    # this process has the vocabulary of the release before the word
    said = json.loads((copied / "examples" / RECEIVED / "full.json").read_text())
    said["needs"][0] |= {"code": "easter-eggs", "lane": "food"}
    said |= {"diets": ["low-salt"], "flags": ["deaf"], "channel": "radio"}
    need = ReferralReceived.model_validate_json(json.dumps(said)).needs[0]
    assert "easter-eggs" not in NEEDS
    assert help_for(need.code, need.lane) is LANES[Lane.FOOD]


def test_readers_of_the_field_are_told_apart_from_other_readers(copied: Path):
    closed = "bdcan.intake.referral.closed.v1"
    change(copied, closed, lambda s: s["required"].remove("needs"))

    (fault,) = found(copied)

    assert fault.breaks == (
        "escalation (reads it)",
        "routing (does not use it, but checks it)",
        "volunteer-match (reads it)",
    )


def test_missing_released_type_is_a_fault_until_retired(copied: Path):
    (copied / "events" / f"{RECEIVED}.schema.json").unlink()
    assert [(fault.type, fault.why) for fault in found(copied)] == [(RECEIVED, "a released type is gone")]

    releases.retire(load(copied), RECEIVED)

    assert found(copied) == []
    assert RECEIVED not in (copied / "released.lock").read_text()


def test_existing_type_cannot_be_retired(copied: Path):
    with pytest.raises(SourceError, match="still has a schema"):
        releases.retire(load(copied), RECEIVED)


def test_release_of_a_proven_change_updates_the_lock(
    copied: Path,
):
    before = (copied / "released.lock").read_text()
    change(copied, RECEIVED, optional)
    assert any("changed since its release" in fault for fault in releases.unreleased(load(copied)))

    assert list(releases.release(load(copied))) == [f"released {RECEIVED}"]

    assert list(releases.unreleased(load(copied))) == []
    assert (copied / "released.lock").read_text() != before


def test_release_refuses_an_unproven_change(copied: Path):
    before = (copied / "released.lock").read_text()
    change(copied, RECEIVED, lambda s: s["required"].append("postcode"))

    with pytest.raises(SourceError, match="breaks routing"):
        list(releases.release(load(copied)))

    assert (copied / "released.lock").read_text() == before


def test_new_version_is_released_as_its_own_type(copied: Path):
    new = RECEIVED.replace(".v1", ".v2")
    text = (copied / "events" / f"{RECEIVED}.schema.json").read_text()
    (copied / "events" / f"{new}.schema.json").write_text(
        text.replace(RECEIVED, new).replace("Received", "ReceivedV2")
    )

    assert found(copied) == []
    assert list(releases.release(load(copied))) == [f"released {new}"]


def test_tampered_release_is_refused(copied: Path):
    path = copied / "released" / f"{RECEIVED}.json"
    path.write_text(path.read_text().replace("postcode", "postcodes"))

    with pytest.raises(SourceError, match=r"not what released\.lock says"):
        releases.released(copied)


def test_contracts_compare_with_the_release_of_a_git_revision(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=copied, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    change(copied, RECEIVED, lambda s: s["properties"].pop("postcode"))
    (copied / "released.lock").unlink()  # someone who releases by hand leaves no trace in the working tree
    assert main(["--schemas", str(copied), "compat"]) == 0

    assert main(["--schemas", str(copied), "compat", "--against", "HEAD"]) == 1

    assert "postcode: a field is gone" in capsys.readouterr().err
    assert main(["--schemas", str(copied), "compat", "--against", "no-such-revision"]) == 1
