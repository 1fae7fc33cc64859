"""A JSON body that has a key twice is an error that names the key: FastAPI would take the last one."""

from __future__ import annotations

from fastapi import Request

from bdcan_chassis.http.problems import InvalidError
from bdcan_chassis.json_door import RepeatedKeyError, read_json


async def no_repeated_key(request: Request) -> None:
    """FastAPI dependency: raises InvalidError for a repeated key."""
    if "json" not in request.headers.get("content-type", ""):
        return
    try:
        read_json(await request.body())
    except RepeatedKeyError as error:
        raise InvalidError.of(error.problem) from error
    except (ValueError, RecursionError):
        return  # FastAPI says that it is no JSON, or nobody reads it
