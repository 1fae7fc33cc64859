"""The five OpenAPI documents: complete in themselves, and two generators make clients of them that work."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import re2

from bdcan_chassis.testing.harness import Harness

_READS = {"get"}
_ERRORS = {
    "any": {"401", "404", "422", "429", "503"},
    "writing": {"408", "409", "413"},
    "body": {"400", "415"},
}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


async def document_of(given: Harness) -> dict[str, Any]:
    return (await given.http.get("/openapi.json")).json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


async def test_every_reference_points_to_a_component(given: Harness):
    document = await document_of(given)
    schemas = document["components"]["schemas"]
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)
    for node in nodes(document):
        assert "$defs" not in node
        if isinstance(ref := node.get("$ref"), str):
            folder, _, name = ref.rpartition("/")
            assert folder == "#/components/schemas"
            assert name in schemas


async def test_every_route_shows_the_errors_that_it_has_and_none_of_fastapi(given: Harness):
    document = await document_of(given)
    for method, operation in operations(document):
        needed = set(_ERRORS["any"])
        needed |= set() if method in _READS else _ERRORS["writing"]
        needed |= _ERRORS["body"] if "requestBody" in operation else set()
        needed |= {"403"} if "security" in operation else set()
        shown = {status for status in operation["responses"] if status >= "400"}
        assert shown == needed, operation["operationId"]
        for status in shown:
            answer = operation["responses"][status]
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
            }
        assert "Retry-After" in operation["responses"]["429"]["headers"]


async def test_every_success_shows_its_body(given: Harness):
    for _, operation in operations(await document_of(given)):
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                for media_type, content in answer.get("content", {}).items():
                    assert content.get("schema"), (operation["operationId"], status, media_type)


async def test_each_route_has_a_name_of_its_own_and_a_tag(given: Harness):
    named = Counter(one["operationId"] for _, one in operations(await document_of(given)))
    assert max(named.values()) == 1
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in named)
    assert all(one.get("tags") for _, one in operations(await document_of(given)))


async def test_an_idempotency_key_is_shown_where_it_counts(given: Harness):
    document = await document_of(given)
    replay = document["paths"]["/v1/dead-letters/{letter_id}/replays"]["post"]
    view = document["paths"]["/v1/dead-letters/{letter_id}/views"]["post"]
    assert "Idempotency-Key" in [one["name"] for one in replay["parameters"]]
    assert "Idempotency-Key" not in [one["name"] for one in view["parameters"]]
    assert "Idempotent-Replayed" in replay["responses"]["202"]["headers"]


async def test_every_pattern_compiles_in_go(given: Harness):
    for node in nodes(await document_of(given)):
        if isinstance(pattern := node.get("pattern"), str):
            re2.compile(pattern)


@pytest.mark.parametrize("service_name", ["intake"])
async def test_the_example_of_a_request_is_taken_on(given: Harness):
    form = (await document_of(given))["components"]["schemas"]["ReferralForm"]
    for example in form["examples"]:
        made = await given.http.post("/v1/referrals", json=example)
        assert made.status_code == 201, made.text


async def test_a_python_client_is_generated_without_a_warning_and_calls(
    given: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    client, package = await python_client(given, tmp_path, monkeypatch)

    answer = await importlib.import_module(
        f"{package}.api.operations.operations_list_letters"
    ).asyncio_detailed(client=client)

    assert (answer.status_code, answer.parsed.items) == (200, [])


@pytest.mark.parametrize("service_name", ["intake"])
async def test_the_python_client_reads_a_201_without_what_is_absent(
    given: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    client, package = await python_client(given, tmp_path, monkeypatch)
    models = importlib.import_module(f"{package}.models")
    form = models.ReferralForm.from_dict(
        {"channel": "phone", "needs": ["food-parcel"], "person": {"name": "Test Person"}}
    )
    hand_in = importlib.import_module(f"{package}.api.referrals.referrals_hand_in")

    made = await hand_in.asyncio_detailed(client=client, body=form, idempotency_key="one")
    again = await hand_in.asyncio_detailed(client=client, body=form, idempotency_key="one")
    refused = await hand_in.asyncio_detailed(client=client, body=models.ReferralForm(channel=form.channel))

    assert made.status_code == 201
    assert again.parsed.referral_id == made.parsed.referral_id
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (refused.status_code, refused.parsed.status) == (422, 422)


async def python_client(given: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """The generated client of a service, and the name of its package."""
    package = f"{folder.name}_{given.service.package}"  # one of the same name may be imported already
    source = folder / "openapi.json"
    source.write_text(json.dumps(await document_of(given)))
    config = folder / "config.json"  # the generator knows PDF only as bytes
    config.write_text(json.dumps({"content_type_overrides": {"application/pdf": "application/octet-stream"}}))
    made = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable,
            "-m",
            "openapi_python_client",
            *("generate", "--path", str(source), "--meta", "none", "--fail-on-warning"),
            *("--config", str(config)),
            *("--output-path", str(folder / package)),
        ],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},  # it formats with ruff
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(folder)
    client = importlib.import_module(f"{package}.client").AuthenticatedClient(
        base_url=given.url,
        token=given.http.headers["X-API-Key"],
        prefix="",
        auth_header_name="X-API-Key",
    )
    return client, package
