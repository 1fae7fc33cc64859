"""What an API's OpenAPI document says beyond what FastAPI knows: errors, headers, keys, and bodies that a route reads itself.

Each route shows the errors that it really answers with. Every schema stands under `components`, by the name of its class, so
that a generator of clients finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http.auth import API_KEY_HEADER, Authentication
from bdcan_chassis.http.guard import GuardedRoute
from bdcan_chassis.http.idempotency import MOST_KEY, of_request
from bdcan_chassis.http.problems import MEDIA_TYPE, ProblemBody

DESCRIPTION = """\
People send an access token (`Authorization: Bearer`), machines an API key (`X-API-Key`).

Every error is a problem (RFC 9457). `errors` names each field at fault, and `request_id` finds the request in the logs. A field
without a value is left out of an answer. A request with an `Idempotency-Key` may be sent again: it is done once, and the
answer is the same. After a 429 or a 503, wait as `Retry-After` says.
"""

FORM = "x-form"
"""What a body's inline schema is called among the components."""

_REF = "#/components/schemas/"
_ANY = {422: "Well-formed, but not acceptable; `errors` names every field at fault"}
_GUARDED = {
    401: "Nobody knows who is calling",
    404: "There is no such thing, or it is not yours to see",
    429: "Too many requests; Retry-After says when to try again",
    503: "Not possible just now; Retry-After says when to try again",
}
_SCOPED = {403: "The scope that is needed is missing"}
_WRITING = {
    408: "The body took too long",
    409: "The present state does not allow it",
    413: "The body is too large",
}
_WITH_BODY = {400: "The body cannot be read", 415: "The body has another media type"}

_REQUEST_ID = {
    "X-Request-Id": {"description": "Finds the request in the logs.", "schema": {"type": "string"}},
}
_OF_STATUS = {
    401: {"WWW-Authenticate": {"description": "Bearer, where a token serves.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
}
_REPLAYED = {
    "Idempotent-Replayed": {
        "description": "`true`: the answer of an earlier request with this key.",
        "schema": {"type": "string"},
    }
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of the caller's. The same request with the same key is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY},
}


def operation_id(route: APIRoute) -> str:
    """The name of a route in generated clients. It does not change when a path does."""
    [tag, *_] = route.tags or ["service"]
    return f"{tag}_{route.name}".replace("-", "_").replace(" ", "_")


def complete(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Add to a document what its routes say. Raises ConfigurationError where two schemas have one name."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add(schemas, "ProblemBody", ProblemBody.model_json_schema(ref_template=f"{_REF}{{model}}"))
    for route, operation in _operations(document, routes):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            _name(schemas, content)
        for status, text in _errors(route, operation).items():
            operation["responses"][str(status)] = {
                "description": text,
                "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemBody"}}},
            }
        once = _asks_for(route.dependant, of_request)
        if once:
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        for status, response in operation["responses"].items():
            headers = _REQUEST_ID | _OF_STATUS.get(int(status), {})
            response["headers"] = headers | (_REPLAYED if once and status.startswith("2") else {})
        if "security" in operation:
            operation["security"].append({"APIKeyHeader": []})
    schemes = document["components"].get("securitySchemes", {})
    if Authentication.scheme_name in schemes:
        schemes["APIKeyHeader"] = {
            "type": "apiKey",
            "in": "header",
            "name": API_KEY_HEADER,
            "description": "A machine's key. It serves wherever a token does.",
        }
    for left in ("HTTPValidationError", "ValidationError"):  # FastAPI's own 422, which nobody gets
        schemas.pop(left, None)


def _operations(
    document: dict[str, Any], routes: Iterable[BaseRoute]
) -> Iterator[tuple[GuardedRoute, dict[str, Any]]]:
    for route in routes:
        if isinstance(route, GuardedRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _errors(route: GuardedRoute, operation: dict[str, Any]) -> dict[int, str]:
    found = _ANY | _GUARDED
    if route.credentials:
        found |= _SCOPED
    if "GET" not in (route.methods or ()):
        found |= _WRITING
    return found | (_WITH_BODY if "requestBody" in operation else {})


def _asks_for(dependant: Dependant, call: object) -> bool:
    return any(inner.call is call or _asks_for(inner, call) for inner in dependant.dependencies)


def _name(schemas: dict[str, Any], content: dict[str, Any]) -> None:
    """Put an inline schema of an object among the components."""
    schema = content.get("schema", {})
    if schema.get("type") == "object" and "properties" in schema:
        name = schema.pop(FORM, schema["title"])
        _add(schemas, name, {**schema, "title": name})
        content["schema"] = {"$ref": _REF + name}


def _add(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    inner = {key: _pointed(shape) for key, shape in schema.pop("$defs", {}).items()}
    for key, shape in {**inner, name: _pointed(schema)}.items():
        if schemas.setdefault(key, shape) != shape:
            raise ConfigurationError(f"two schemas of the API are called {key}")


def _pointed(node: Any) -> Any:
    """The same, with references to components."""
    if isinstance(node, list):
        return [_pointed(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value.replace("#/$defs/", _REF) if key == "$ref" and isinstance(value, str) else _pointed(value)
        for key, value in node.items()
    }
