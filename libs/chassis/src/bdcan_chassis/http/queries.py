"""A query parameter that a route does not know is an error that names those that it knows.

FastAPI ignores such a parameter: `?overdue=true` would list everything, and `?dry_run=true` would import for real.
"""

from __future__ import annotations

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from bdcan_chassis.http.problems import InvalidError
from bdcan_chassis.http.wrong_fields import nearest
from bdcan_contracts.envelope import Problem


async def no_unknown_query(request: Request) -> None:
    """FastAPI dependency: raises InvalidError for parameters that the route does not declare."""
    query = request.scope["query_string"]
    route = request.scope.get("route")
    if not query or not isinstance(route, APIRoute):
        return
    known = _declared(route)
    offered = ", ".join(sorted(known)) or "none"
    unknown = [
        Problem(
            "query", "unknown-parameter", f"no such parameter{nearest(name, known)}; known are: {offered}"
        )
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if unknown:
        raise InvalidError.of(*unknown)


def _declared(route: APIRoute) -> frozenset[str]:
    return frozenset(
        field.alias
        for field in get_flat_params(route.dependant)
        if isinstance(field.field_info, params.Query)
    )
