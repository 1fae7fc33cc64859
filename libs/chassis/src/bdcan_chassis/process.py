"""The entry of a service's process: it listens to signals before it imports anything that takes long."""

from __future__ import annotations

import sys
from importlib import import_module

from bdcan_chassis.signals import exit_when_told, listen

_SERVERS = {"api", "worker"}
"""Verbs that run until somebody stops them. Any other verb that is interrupted has failed."""


def run_service(app: str, arguments: list[str] | None = None) -> int:
    """Run one command of the service that `build()` of this module makes; returns the exit code.

    The caller gives the module's name and does not import it: the imports take a second, and a signal may come in that second.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if _SERVERS.intersection(given[:1]):
        exit_when_told()
    listen()
    from bdcan_chassis.cli import main

    return main(import_module(app).build, given)
