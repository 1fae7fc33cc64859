"""Equal text is equal at every door: what a request says is read without what nobody sees.

Composed and decomposed accents, kinds of space, line ends, blanks at the ends and invisible characters make no difference
in bodies, paths, queries and keys. Text with U+0000 stays as it is: nobody types it, and the doors refuse it.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from bdcan_contracts.typed import free_text, one_line

_NUL = "\0"


def tidied(value: Any) -> Any:
    """A text of one or more lines as it is read; any other value as it is."""
    return value if type(value) is not str or _NUL in value else free_text(value) or ""


def tidied_line(value: Any) -> Any:
    """A text of one line as it is read; any other value as it is."""
    return value if type(value) is not str or _NUL in value else one_line(value) or ""


def tidied_json(value: Any) -> Any:
    """A JSON value with each text and each name as it is read."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {tidied(name): tidied_json(inner) for name, inner in members.items()}
    if isinstance(value, list):
        return [tidied_json(inner) for inner in value]
    return tidied(value)


def tidied_scope(scope: Scope) -> Scope:
    """The request with its path and query as they are read. Nearly all need nothing, and are returned as they are."""
    query: bytes = scope["query_string"]
    if b"%" in query or b"+" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        asked = urlencode([(str(tidied_line(name)), str(tidied_line(value))) for name, value in pairs])
        scope = {**scope, "query_string": asked.encode()}
    path: str = scope["path"]
    if not path.isascii() or " " in path or not path.isprintable():
        scope = {**scope, "path": "/".join(map(tidied_line, path.split("/")))}
    return scope
