"""The checker says offline what a receipt would say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bdcan_contracts.__main__ import main

SOURCE = Path(__file__).parents[2] / "schemas/python"
EXAMPLES = SOURCE.parent / "examples/bdcan.intake.inbound-referral.submitted.v1"
BODY = {"source": "riverside-surgery", "reference": "R-1", "channel": "gp", "needs": ["errand"]}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/x",
    "type": "bdcan.intake.inbound-referral.submitted.v1",
}
NAMED = {"source": "riverside-surgery", "reference": "R-1"}
AMENDED = EVENT | {"type": "bdcan.intake.inbound-referral.amended.v1"}
WITHDRAWN = EVENT | {"type": "bdcan.intake.inbound-referral.withdrawn.v1"}
HEADERS = {f"ce_{name}": value for name, value in EVENT.items()}


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (BODY, []),
        (BODY | {"needs": ["pony"]}, ["unknown-code"]),
        (
            {"source": "riverside-surgery", "reference": "R-1", "channel": "gp"},
            ["nobody-named", "nothing-needed"],
        ),
        (EVENT | {"data": BODY}, []),
        (EVENT | {"data": BODY, "id": None}, ["missing"]),
        ({"key": "anything", "headers": HEADERS, "value": BODY}, []),
        ({"headers": [*HEADERS.items(), ["ce_id", "2"]], "value": json.dumps(BODY)}, ["bad-header"]),
        ({"headers": HEADERS, "value": None}, ["no-body"]),
        (
            {"headers": {"content-type": "application/cloudevents-batch+json"}, "value": []},
            ["batch"],
        ),
        ([BODY], ["bad-body"]),
        (AMENDED | {"data": {**NAMED, "add_needs": ["errand"], "remove": ["phone"]}}, []),
        (AMENDED | {"data": {**NAMED, "add_needs": ["pony"]}}, ["unknown-code"]),
        (AMENDED | {"data": {**NAMED, "remove": ["shoes"]}}, ["unknown-detail"]),
        (
            AMENDED | {"data": {**NAMED, "person": {"phone": "1"}, "remove": ["phone"]}},
            ["contradiction"],
        ),
        (WITHDRAWN | {"data": {**NAMED, "reason": "moved-away"}}, []),
        (WITHDRAWN | {"data": NAMED}, ["missing"]),
    ],
)
def test_file_is_checked_as_its_record_would_be(
    said: object, codes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(said))
    assert main(["check", "--json", str(file)]) == bool(codes)
    [verdict] = json.loads(capsys.readouterr().out)
    assert list(dict.fromkeys(problem["code"] for problem in verdict["problems"])) == codes
    assert verdict["result"] == ("refused" if codes else "accepted")


@pytest.mark.parametrize("kind", ["amended", "withdrawn"])
def test_bare_request_has_the_type_of_its_folder(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = EXAMPLES.parent / f"bdcan.intake.inbound-referral.{kind}.v1"
    assert main(["check", "--json", str(folder)]) == 0
    assert {one["request"] for one in json.loads(capsys.readouterr().out)} == {kind}


def test_directory_of_examples_is_accepted_and_a_bad_file_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(EXAMPLES)]) == 0
    assert capsys.readouterr().out.count(": accepted") == len(list(EXAMPLES.glob("*.json")))
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff{")
    assert main(["check", str(bad)]) == 1
    assert "Send the request as a JSON object in UTF-8." in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nothing.json")]) == 2


def test_sources_of_the_sender_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(BODY))
    assert main(["check", str(file), "--source", "riverside-surgery"]) == 0
    assert main(["check", str(file), "--source", "heath-pharmacy"]) == 1
    assert "not-yours" in capsys.readouterr().out


def test_checker_needs_nothing_but_the_contracts() -> None:
    script = (
        "import sys, bdcan_contracts.inbound.check; print([m for m in sys.modules if m.startswith('bdcan_')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "bdcan_chassis" not in done.stdout
    assert "bdcan_intake" not in done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that has the wheel of the contracts, and what that asks for."""
    folder, uv = tmp_path_factory.mktemp("fresh"), Path(sys.executable).with_name("uv")
    environment = folder / "environment"

    def run(*words: str | Path) -> None:
        done = subprocess.run(
            [uv, "--quiet", *words], capture_output=True, text=True, check=False, cwd=folder
        )
        assert done.returncode == 0, done.stderr

    run("build", "--wheel", SOURCE, "--out-dir", folder)
    run("venv", "--python", sys.executable, environment)
    [wheel] = folder.glob("*.whl")
    run("pip", "install", "--python", environment, wheel)
    return environment / "bin"


@pytest.mark.parametrize("command", [("python", "-I", "-m", "bdcan_contracts"), ("bdcan-contracts",)])
def test_checker_works_where_the_contracts_alone_are_installed(
    installed: Path, command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_text(json.dumps(EVENT | {"data": BODY, "time": "2020-03-23T09:00:00Z"}))
    (tmp_path / "bad.json").write_text(json.dumps(BODY | {"needs": ["pony"]}))
    (tmp_path / "amended.json").write_text(json.dumps(AMENDED | {"data": NAMED}))
    program = [str(installed / command[0]), *command[1:], "check", "--json", "."]
    bare = {"PYTHONTZPATH": "", "PATH": "/usr/bin:/bin"}  # a system without a database of time zones
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path, env=bare)
    assert done.returncode == 1, done.stderr
    said = {one["file"]: [p["code"] for p in one["problems"]] for one in json.loads(done.stdout)}
    assert said == {"amended.json": [], "bad.json": ["unknown-code"], "good.json": []}
