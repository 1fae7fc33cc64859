"""`bdcan prometheus-config`: what a Prometheus on this machine must know to watch the running system."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bdcan_local.errors import NotReadyError
from bdcan_local.root import Root, read_json

RULES = Path("deploy/prometheus/alerts.yml")
EVERY_SECONDS = 5


def config(root: Root) -> str:
    """A whole configuration, as JSON, which is YAML too. Raises NotReadyError where nothing runs.

    `process` and `service` are labelled as in compose, so that dashboards and alerts are the same.
    """
    ends = read_json(root.endpoints) if root.is_locked() else None
    if ends is None:
        raise NotReadyError(f"nothing runs in {root.directory}", "Start the system: `make up`.")
    every = f"{EVERY_SECONDS}s"
    said: dict[str, Any] = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "scrape_configs": [{"job_name": "bdcan", "static_configs": list(map(_target, _processes(ends)))}],
    }
    for name, place in _watching(root).items():
        said["scrape_configs"].append({"job_name": name, "static_configs": [{"targets": [place]}]})
    if RULES.exists():
        said["rule_files"] = [str(RULES.resolve())]
    return json.dumps(said, indent=2)


def _processes(ends: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(service, kind, URL) of each process that has metrics."""
    found = [
        (service, kind, urls[where])
        for service, urls in ends["services"].items()
        for kind, where in (("api", "api"), ("worker", "ops"))
    ]
    return [*found, ("routing", "pulse", ends["pulse"]["ops"])]


def _watching(root: Root) -> dict[str, str]:
    """Where the processes are that reconcile and back up on a schedule; a demo has none."""
    listed = (read_json(root.state) or {"processes": []})["processes"]
    return {
        one["name"]: urlsplit(one["url"]).netloc for one in listed if one["name"] in {"reconcile", "backup"}
    }


def _target(process: tuple[str, str, str]) -> dict[str, Any]:
    service, kind, url = process
    return {
        "targets": [urlsplit(url).netloc],
        "labels": {"service": service, "process": f"{service}-{kind}"},
    }
