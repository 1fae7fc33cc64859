"""What the tools of others make of the contracts. Left out where Node's packages are not installed (`make node`)."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from bdcan_chassis.testing.harness import Harness
from bdcan_contract_tools import published
from bdcan_contract_tools.sources import SCHEMAS, Sources

NODE = SCHEMAS / "node"
pytestmark = pytest.mark.skipif(
    not (NODE / "node_modules" / ".package-lock.json").exists(), reason="make node installs the packages"
)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """One of our scripts, which Node runs."""
    command = ["node", str(NODE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_official_parser_takes_the_asyncapi_document(sources: Sources):
    done = run("asyncapi.mjs", sources.root / "asyncapi.yaml")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["servers"]["local"].update(security=[{"$ref": "#/components/securitySchemes/none"}]),
        lambda d: d["channels"]["bdcan.intake.inbound-receipts.v1"].update(parameters=["sender"]),
        lambda d: d["operations"]["intake.reads.bdcan.intake.inbound-referrals.v1"].pop("channel"),
    ],
    ids=["security", "parameters", "channel"],
)
def test_the_official_parser_refuses_a_spoiled_one(sources: Sources, tmp_path: Path, spoil):
    document = yaml.safe_load((sources.root / "asyncapi.yaml").read_text(encoding="utf-8"))
    spoil(document)
    path = tmp_path / "spoiled.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")

    assert run("asyncapi.mjs", path).returncode == 1


def test_a_generator_of_types_needs_no_made_up_name(sources: Sources):
    files = sorted((sources.root / published.FOLDER).glob("*.json"))
    done = run("types.mjs", *files)
    assert done.returncode == 0, done.stderr

    made = json.loads(done.stdout)
    assert len(made) == len(sources.events)
    for name, types in made.items():
        schema = json.loads((sources.root / published.FOLDER / name).read_text(encoding="utf-8"))
        assert schema["title"] in types
        assert set(schema.get("$defs", {})) <= set(types)
        assert not [one for one in types if re.search(r"(?<!V)\d+$", one)], types


@pytest.mark.parametrize("service_name", ["intake"])
async def test_a_typescript_client_compiles_strictly_and_calls(given: Harness, tmp_path: Path):
    openapi = tmp_path / "openapi.json"
    openapi.write_bytes((await given.http.get("/openapi.json")).content)
    program = Path(__file__).with_name("program.mts")

    done = await asyncio.to_thread(
        run, "client.mjs", openapi, program, tmp_path, given.url, given.http.headers["X-API-Key"]
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {
        "status": 201,
        "same": True,
        "listed": 1,
        "missing": "urn:bdcan:problem:not-found",
    }


async def test_a_typescript_client_of_each_service_compiles_strictly_and_calls(
    given: Harness, tmp_path: Path
):
    openapi = tmp_path / "openapi.json"
    openapi.write_bytes((await given.http.get("/openapi.json")).content)
    program = Path(__file__).with_name("operations.mts")

    done = await asyncio.to_thread(
        run, "client.mjs", openapi, program, tmp_path, given.url, given.http.headers["X-API-Key"]
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"status": 200, "letters": 0, "missing": "urn:bdcan:problem:not-found"}


async def test_a_typescript_client_is_generated_without_a_warning(given: Harness, tmp_path: Path):
    openapi = tmp_path / "openapi.json"
    openapi.write_bytes((await given.http.get("/openapi.json")).content)
    tool = NODE / "node_modules" / ".bin" / "openapi-typescript"
    command = [str(tool), str(openapi), "--output", str(tmp_path / "api.d.ts")]

    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"warn|✘|error", done.stdout + done.stderr, re.IGNORECASE)
