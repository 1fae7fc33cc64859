"""Catches what Alertmanager sends where nobody has configured a receiver: `python -m bdcan_local.catcher PORT`.

It writes one line of JSON for each alert that fires or ends, and shows the last ones at `/`. The watchdog is only counted.
"""

import json
import sys
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

_MOST_BYTES = 1_000_000
_LAST = 500


class Catcher(ThreadingHTTPServer):
    """The server, and what it has caught."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Door)
        self.caught: deque[dict[str, Any]] = deque(maxlen=_LAST)
        self.watchdogs = 0

    def take(self, receiver: str, notice: dict[str, Any]) -> None:
        """Keep what a notice of Alertmanager says."""
        for alert in notice.get("alerts", []):
            if alert["labels"].get("alertname") == "Watchdog":
                self.watchdogs += 1
                continue
            line = {
                "receiver": receiver,
                "status": alert["status"],
                "since": alert["startsAt"],
                **alert["labels"],
                **alert["annotations"],
            }
            self.caught.append(line)
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


class _Door(BaseHTTPRequestHandler):
    server: Catcher  # pyright: ignore[reportIncompatibleVariableOverride] # it is only ever made for one

    def do_POST(self) -> None:
        """A notice of Alertmanager."""
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 < length <= _MOST_BYTES:
            self._answer(413, {})
            return
        try:
            self.server.take(self.path.strip("/"), json.loads(self.rfile.read(length)))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer(400, {})
            return
        self._answer(200, {})

    def do_GET(self) -> None:
        """What was caught last."""
        self._answer(200, {"alerts": list(self.server.caught), "watchdogs": self.server.watchdogs})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the alerts are the log."""


if __name__ == "__main__":
    # in a container, whose network is its own
    Catcher("0.0.0.0", int(sys.argv[1])).serve_forever()  # noqa: S104
