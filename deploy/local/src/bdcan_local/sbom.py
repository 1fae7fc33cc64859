"""`python -m bdcan_local.sbom FILE`: what the system is made of, as CycloneDX: Python packages of uv.lock and Kafka's jars.

uv writes the packages. It knows no jars: they are added from the lock that each start verifies.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bdcan_local import jars
from bdcan_local.errors import MachineError


def sbom() -> dict[str, Any]:
    """The document, from the locks of a checkout. Raises MachineError when uv cannot read its lock."""
    uv = Path(sys.executable).with_name("uv")
    run = subprocess.run(  # noqa: S603 - the words are ours
        [str(uv), "export", "--frozen", "--all-packages", "--no-dev", "--quiet", "--format", "cyclonedx1.5"],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise MachineError(f"uv cannot list the packages: {run.stderr.strip()}", "Run it in a checkout.")
    document = json.loads(run.stdout)
    document["components"] += [_jar(entry) for entry in json.loads(jars.LOCK_FILE.read_text("utf-8"))["jars"]]
    return document


def _jar(entry: dict[str, str]) -> dict[str, Any]:
    purl = f"pkg:maven/{entry['group']}/{entry['artifact']}@{entry['version']}"
    if entry["classifier"]:
        purl += f"?classifier={entry['classifier']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "group": entry["group"],
        "name": entry["artifact"],
        "version": entry["version"],
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(sbom(), indent=1) + "\n", encoding="utf-8")
