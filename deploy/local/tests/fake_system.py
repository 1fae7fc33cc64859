"""A runner with two small HTTP services instead of the real ones.

Run as a program: ROOT usual|any [NAME]. With NAME, another program takes that process's first port before it does.
"""

import asyncio
import socket
import sys
from pathlib import Path

from bdcan_local import processes
from bdcan_local.child import Command
from bdcan_local.processes import System, Table, http_status
from bdcan_local.root import Root
from bdcan_local.runner import Plan, running, until_signalled
from bdcan_local.settings import read_settings
from bdcan_local.supervisor import Unit

usual_units = processes.platform_units

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def services(system: System) -> list[Unit]:
    take("intake-api", system)
    return [server(name, system.ports[name]) for name in ("intake-api", "intake-worker")]


def server(name: str, port: int) -> Unit:
    async def is_ready() -> bool:
        return await http_status(port, "/readyz") == 200

    return Unit(name, Command((sys.executable, "-c", SERVER, str(port))), is_ready, port=port)


def take(name: str, system: System) -> None:
    """Be the other program, once."""
    if sys.argv[3:] == [name] and not TAKEN:
        TAKEN.append(socket.create_server(("127.0.0.1", system.ports[name])))


TAKEN: list[socket.socket] = []


def platform_units(system: System) -> list[Unit]:
    take("postgres", system)
    return usual_units(system)


def one_shot(_: System) -> list[list[Unit]]:
    return [[Unit("intake-migrate", Command((sys.executable, "-c", "print('migrated')")))]]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main(root: Path) -> int:
    processes.platform_units = platform_units
    plan = Plan(usual_ports=sys.argv[2:3] == ["usual"], table=Table(one_shot, services))
    async with running(Root(root), read_settings(), plan, say):
        say("READY")
        await asyncio.get_running_loop().create_future()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(until_signalled(main(Path(sys.argv[1])))))
