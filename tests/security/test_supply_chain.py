"""What the system is made of is listed, and a package with a known vulnerability fails the scan, also without the internet."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bdcan_local.jars import LOCK_FILE
from bdcan_local.sbom import sbom

ROOT = Path(__file__).parents[2]


def test_sbom_lists_every_package_that_runs_and_every_jar() -> None:
    document = sbom()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    listed = {component["purl"] for component in document["components"] if "purl" in component}
    locked = {
        package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    for name in ("aiokafka", "asyncpg", "fastapi", "joserfc", "confluent-kafka"):
        assert f"pkg:pypi/{name}@{locked[name]['version']}" in listed
    jars = json.loads(LOCK_FILE.read_text())["jars"]
    assert len([purl for purl in listed if purl.startswith("pkg:maven/")]) == len(jars) > 20
    assert not any(purl.startswith("pkg:pypi/pytest@") for purl in listed)
    references = [component["bom-ref"] for component in document["components"]]
    assert len(references) == len(set(references))


class Mirror(ThreadingHTTPServer):
    """A mirror of the OSV database, as a network without the internet has it. It knows one vulnerability, or none."""

    def __init__(self, vulnerable: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.vulnerable = vulnerable
        self.asked: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    @property
    def mirror(self) -> Mirror:
        assert isinstance(self.server, Mirror)
        return self.server

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        names = [query["package"]["name"] for query in queries]
        self.mirror.asked += names
        known = {"vulns": [{"id": "OSV-2026-1", "modified": "2026-11-01T00:00:00Z"}]}
        self._answer({"results": [known if name == self.mirror.vulnerable else {} for name in names]})

    def do_GET(self) -> None:
        affected = {"package": {"ecosystem": "PyPI", "name": self.mirror.vulnerable}}
        self._answer(
            {
                "id": "OSV-2026-1",
                "modified": "2026-11-01T00:00:00Z",
                "summary": "made up for a test",
                "affected": [affected],
            }
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is the library's
        pass

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(params=[None, "asyncpg"])
def mirror(request: pytest.FixtureRequest) -> Iterator[Mirror]:
    with Mirror(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_scan_names_a_vulnerable_package_that_a_mirror_knows(mirror: Mirror) -> None:
    run = subprocess.run(
        ["make", "--no-print-directory", "scan", f"OSV_URL=http://127.0.0.1:{mirror.server_port}/"],
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout + run.stderr
    assert "asyncpg" in mirror.asked
    assert (run.returncode != 0) == (mirror.vulnerable is not None), said
    assert ("OSV-2026-1" in said) == (mirror.vulnerable is not None)
