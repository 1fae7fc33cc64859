"""Each example sends a referral to a real intake, and reads its own receipt."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import confluent_kafka
import pytest

UV = str(Path(sys.executable).with_name("uv"))
_RUN_SECONDS = 90


@dataclass(frozen=True)
class Example:
    """How an example is built once, how it is run, and the oldest tools that it needs."""

    build: tuple[str, ...]
    run: tuple[str, ...]
    tools: Mapping[str, str] = field(default_factory=dict)


EXAMPLES = {
    "python": Example((UV, "sync", "--frozen", "--quiet"), (".venv/bin/python", "send_referral.py")),
    "javascript": Example(
        ("npm", "ci", "--silent"), ("node", "send-referral.js"), {"node": "20.0", "npm": "9.0"}
    ),
    # from 1.21 on, Go fetches the version that go.mod names
    "go": Example(("go", "build", "-o", "send-referral", "."), ("./send-referral",), {"go": "1.21"}),
    "java": Example(
        ("mvn", "-q", "-B", "prepare-package"),
        ("java", "-cp", "target/classes:target/lib/*", "SendReferral"),
        {"mvn": "3.6"},
    ),
    "kcat": Example(("true",), ("./send-referral.sh",), {"kcat": "1.7", "jq": "1.6"}),
}


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it said."""

    code: int | None
    said: str


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture(params=EXAMPLES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def run(
    language: str, need: Callable[..., None], built: Callable[..., Path], handed_over: Mapping[str, str]
) -> Run:
    """Run the example with words, such as a reference; named arguments are settings."""
    example = EXAMPLES[language]
    need(example.tools)
    place = built(f"upstream/{language}", example.build)
    environment = {**os.environ, **handed_over, "BDCAN_GROUP": f"{handed_over['BDCAN_GROUP']}.{language}"}
    if language == "kcat":
        environment |= recent_librdkafka(place)

    async def started(*words: str, **settings: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *example.run,
            *words,
            cwd=place,
            env={**environment, **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), _RUN_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
        return Ended(process.returncode, out.decode())

    return started


def recent_librdkafka(place: Path) -> dict[str, str]:
    """Kafka 4 does not let in the librdkafka of Debian 12 (2.0.2): kcat borrows the one of confluent-kafka."""
    said = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    [version] = re.findall(r"librdkafka ([0-9]+)\.([0-9]+)\.([0-9]+)", said)
    if tuple(map(int, version)) >= (2, 6, 1):
        return {}
    [library] = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka-*.so.1")
    borrowed = place / "lib" / "librdkafka.so.1"
    borrowed.parent.mkdir(exist_ok=True)
    borrowed.unlink(missing_ok=True)
    borrowed.symlink_to(library)
    return {"LD_LIBRARY_PATH": str(borrowed.parent)}


@pytest.mark.timeout(600)
async def test_example_learns_that_its_referral_was_accepted(run: Run, language: str) -> None:
    reference = f"{language}-{uuid4()}"
    first = await run(reference)
    assert (first.code, "accepted as referral" in first.said) == (0, True), first.said
    again = await run(reference)
    assert (again.code, "(a duplicate)" in again.said) == (0, True), again.said


@pytest.mark.timeout(600)
async def test_example_amends_and_withdraws_what_it_sent_also_by_tls(
    run: Run, language: str, by_tls: Mapping[str, str]
) -> None:
    reference = f"{language}-{uuid4()}"
    for words, said in (
        ((reference,), "submit: it is received"),
        (("amend", reference), "amend: it is received"),
        (("withdraw", reference), "withdraw: it is closed"),
    ):
        ended = await run(*words, **by_tls)
        assert (ended.code, f"({said})" in ended.said) == (0, True), ended.said
    late = await run("amend", reference)
    assert (late.code, "(not-allowed)" in late.said) == (1, True), late.said


@pytest.mark.timeout(600)
async def test_example_says_in_words_why_it_was_refused(run: Run) -> None:
    ended = await run(str(uuid4()), BDCAN_SOURCE="somebody-else")
    assert (ended.code, "source: " in ended.said, "(not-yours)" in ended.said) == (1, True, True), ended.said


@pytest.mark.timeout(600)
async def test_example_says_that_no_receipt_came(run: Run, silent_topic: str) -> None:
    ended = await run(str(uuid4()), BDCAN_RECEIPTS_TOPIC=silent_topic, BDCAN_WAIT_SECONDS="5")
    assert (ended.code, "no receipt within 5 seconds" in ended.said) == (2, True), ended.said
