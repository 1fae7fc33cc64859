"""Reads the cases of the council's system, where it lets us."""

from __future__ import annotations

from uuid import UUID

import aiohttp

from bdcan_reconcile.reading import UnreadableError
from bdcan_reconcile.rows import Case


async def read_cases(url: str, api_key: str) -> list[Case]:
    """All cases. Raises UnreadableError."""
    timeout = aiohttp.ClientTimeout(total=30)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/v1/cases", headers={"X-API-Key": api_key}) as response,
        ):
            response.raise_for_status()
            cases = await response.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreadableError(f"the council's system does not answer ({type(error).__name__})") from error
    return [Case(UUID(c["escalation_id"]), c["case_id"], tuple(c["told"])) for c in cases]
