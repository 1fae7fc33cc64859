"""How JSON of others is read at every door: a byte-order mark is ignored, and a key that is there twice is refused.

Parsers keep the last of two equal keys and say nothing. A person may have meant the first.
"""

from __future__ import annotations

import json
from typing import Any

from bdcan_contracts.envelope import BodyError, Problem

_BOM = b"\xef\xbb\xbf"
_MOST = 100


class RepeatedKeyError(ValueError):
    """An object names this key twice."""

    def __init__(self, key: str) -> None:
        super().__init__("a key is there twice")
        self.key = key[:_MOST]

    @property
    def problem(self) -> Problem:
        """What to tell the sender."""
        return Problem(self.key, "repeated-key", "This key is there twice. Say it once.")


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Raises RepeatedKeyError, and ValueError or RecursionError if it is no JSON."""
    return json.loads(body, object_pairs_hook=_once)  # bytes: it also reads behind a byte-order mark


def tolerated(body: bytes | None) -> bytes | None:
    """The body of a record of somebody else's, without its byte-order mark. Raises BodyError for a key that is there twice."""
    if not body:
        return body
    plain = body.removeprefix(_BOM)
    try:
        read_json(plain)
    except RepeatedKeyError as error:
        raise BodyError("the body has a key twice", (error.problem,)) from error
    except (ValueError, RecursionError):
        return plain  # whoever reads it next says why it is no JSON
    return plain


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RepeatedKeyError(next(name for name in names if names.count(name) > 1))
    return found
