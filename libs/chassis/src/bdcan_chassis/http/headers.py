"""The headers that every answer has, as OWASP's list for REST services names them.

Each answer may be about a person: nothing keeps it, frames it, guesses its type or tells the next site where it came from.
TLS ends in front of the service, so that `Strict-Transport-Security` passes through it.
"""

from __future__ import annotations

_SAID = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

ON_EVERY_ANSWER: list[tuple[bytes, bytes]] = [
    (name.encode(), value.encode()) for name, value in _SAID.items()
]
"""As ASGI has them."""

ON_A_PAGE: list[tuple[bytes, bytes]] = [
    (name, b"frame-ancestors 'none'" if name == b"content-security-policy" else value)
    for name, value in ON_EVERY_ANSWER
]
"""For `/docs`, whose page runs scripts of its own."""
