"""What the stand-ins for servers of others have in common: how they read their settings, and how they serve until told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bdcan_chassis.signals import run


class StandInSettings(BaseModel):
    """How a stand-in runs."""

    model_config = ConfigDict(frozen=True)
    prefix: ClassVar[str]
    """How the names of its variables begin."""

    port: int = Field(ge=0, le=65535)
    host: str = "127.0.0.1"

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Self:
        """Read variables with the prefix, or files of these names in lower case below BDCAN_SECRETS_DIR.

        Raises ValidationError, which names each setting at fault.
        """
        folder = environment.get("BDCAN_SECRETS_DIR")
        found: dict[str, str] = {}
        for name in cls.model_fields:
            variable = f"{cls.prefix}{name.upper()}"
            file = Path(folder, variable.lower()) if folder else None
            if variable in environment:
                found[name] = environment[variable]
            elif file is not None and file.is_file():
                found[name] = file.read_text().strip()
        return cls.model_validate(found)


_Settings = TypeVar("_Settings", bound=StandInSettings)


def run_stand_in(
    model: type[_Settings],
    serve: Callable[[_Settings, socket.socket, asyncio.Event], Coroutine[Any, Any, int]],
) -> int:
    """Serve until told to stop, then return what `serve` does. 2: the configuration is at fault."""
    try:
        settings = model.load(os.environ)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = model.prefix + "_".join(map(str, problem["loc"])).upper()
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        return 2
    try:
        listener = socket.create_server((settings.host, settings.port))
    except OSError as error:
        sys.stderr.write(f"{model.prefix}PORT: {settings.port} cannot be bound: {error.strerror}\n")
        return 2
    return run(lambda stopping: serve(settings, listener, stopping))


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: uvicorn would raise them again at the end."""
        yield


async def serve_until(app: FastAPI, listener: socket.socket, stopping: asyncio.Event) -> int:
    """Serve an app until told to stop, then return 0. 1: it did not start."""
    server = _Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve([listener]))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    server.should_exit = True
    await serving
    return 0 if server.started or stopping.is_set() else 1
