"""Strict request bodies, and the field types that all services share.

A `Body` converts no type: `true` is no number, `"1"` is no number, and a number is no date. JSON has no type for a UUID,
a date or a code: these come as texts. Texts are read without what nobody sees (`tidied.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from bdcan_chassis.http.tidied import tidied, tidied_line

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""Lower-case words with hyphens."""

Slug = Annotated[str, Field(min_length=1, max_length=60, pattern=SLUG)]
"""The id of a hub, a site or an item."""

Reason = Annotated[str, Field(min_length=1, max_length=60, pattern=SLUG, examples=["no-longer-needed"])]
"""Why, as a code: it goes into events, where free text could be about a person."""

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""What a person writes. PostgreSQL cannot keep U+0000."""

_AS_TEXT = {"uuid", "enum", "tuple", "set", "frozenset", "date", "datetime", "time", "timedelta"}
_NUMBERS_TOO = {
    "date",
    "datetime",
    "time",
    "timedelta",
}  # pydantic would take a number for seconds since 1970, also a number that comes as a text
_MANY = {"tuple", "set", "frozenset"}
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*")


# these stand above, because pydantic asks for the schema when it makes the class
def _lenient(node: Any, handler: GetCoreSchemaHandler) -> Any:
    if isinstance(node, list):
        return [_lenient(one, handler) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "definition-ref":  # an enum has a definition of its own
        definition: Any = handler.resolve_ref_schema(cast("Any", node))
        if definition["type"] in _AS_TEXT:
            definition["strict"] = False
            return _before(tidied_line, node)
        return node
    kind = node.get("type")
    if kind == "str":  # before its limits are looked at
        return _before(tidied, node)
    changed = {key: _lenient(value, handler) for key, value in node.items()}
    if kind not in _AS_TEXT:
        return changed
    changed["strict"] = False
    if kind in _NUMBERS_TOO:
        return _before(_text, changed)
    return changed if kind in _MANY else _before(tidied_line, changed)


def _before(function: Callable[[Any], Any], schema: Any) -> Any:
    return {
        "type": "function-before",
        "function": {"type": "no-info", "function": function},
        "schema": schema,
    }


def _text(value: object) -> object:
    value = tidied_line(value)
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise PydanticCustomError("text_expected", "Input should be a text, such as 2020-03-23")
    return value


class Body(BaseModel):
    """The body of a request. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """The model's schema. It accepts texts for types that JSON lacks."""
        return _lenient(handler(source), handler)
