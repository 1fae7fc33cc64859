"""Clients of other servers to which personal data or secrets go."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import httpx


def private_client(
    url: str, timeout: timedelta, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client of the server at `url`. `timeout` is for one read; whoever must not wait longer limits the whole answer."""
    # trust_env off: personal data must not go through a proxy of the machine
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=timeout.total_seconds(),
        trust_env=False,
        verify=_authorities(),
    )


@cache
def _authorities() -> ssl.SSLContext:
    """The authorities that sign servers' certificates: reading them takes longer than most passes."""
    return ssl.create_default_context()
