"""What JSON says in two ways and a model must read as one: a field that is `null` or absent, an integer that is `2` or `2.0`.

The generated models mark their fields with these. Nothing here calls Python for a value that is written as ours are,
except once for a list or a number that is there and may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema


@dataclass(frozen=True, slots=True)
class Absent:
    """Marks a field that may be absent: `null` is read as its default."""

    default: Any

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """The field's schema, or `null`."""
        default = self.default
        return core_schema.no_info_after_validator_function(
            lambda value: default if value is None else value, core_schema.nullable_schema(handler(source))
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """Marks an integer: JSON knows numbers only, so `2.0` is the integer 2, as JSON Schema says. `2.5` and `true` are none."""

    ge: int
    le: int

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """The schema of an integer within the limits."""
        written = core_schema.int_schema(strict=True)
        with_point = core_schema.no_info_after_validator_function(
            _whole, core_schema.float_schema(strict=True, allow_inf_nan=False)
        )
        either = core_schema.union_schema(
            [written, with_point], mode="left_to_right", custom_error_type="int_type"
        )
        return core_schema.chain_schema([either, core_schema.int_schema(strict=True, ge=self.ge, le=self.le)])


def _whole(value: float) -> int:
    if not value.is_integer():
        raise ValueError  # pydantic says: a valid integer
    return int(value)
