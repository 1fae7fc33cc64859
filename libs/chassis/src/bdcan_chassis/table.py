"""Tables and queries: a struct's fields are the columns, and each column is named once.

Rows go to PostgreSQL as one JSON parameter (`json_populate_recordset`): the table itself knows its types, so no
statement repeats them. For 500 rows of 18 columns that takes a quarter of the Python time of arrays or COPY, and as
long on the server. Rows come back through `msgspec.convert`.

    PARCEL = Table("parcel", Parcel, key="parcel_id")

    # Parcels of some referrals, locked in the order of their ids.
    LOCK_OF_REFERRALS = PARCEL.query(
        "SELECT {columns} FROM parcel WHERE referral_id = ANY (:referral_ids) ORDER BY parcel_id FOR NO KEY UPDATE"
    )
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from functools import cached_property, lru_cache
from operator import attrgetter, ne
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast, get_type_hints
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, inspect
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.database import Connection

R = TypeVar("R")
S = TypeVar("S", bound=Struct)

_SENT_AS_IT_IS = {str, bytes, int, bool, datetime, UUID, list, tuple, type(None)}  # most values: a quick look
_PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")
_COLUMNS = re.compile(r"\{(?:(\w+)\.)?columns\}")
_NATIVE = (UUID, datetime, date, bytes)
_SCALARS = (
    inspect.StrType,
    inspect.IntType,
    inspect.FloatType,
    inspect.BoolType,
    inspect.BytesType,
    inspect.UUIDType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.EnumType,
    inspect.LiteralType,
)
_ARRAYS = (inspect.VarTupleType, inspect.FrozenSetType, inspect.SetType, inspect.ListType)


class Unique:
    """The fields of a unique index beside the key: rows with the same values are the same thing."""

    def __init__(self, *fields: str) -> None:
        self._values = _values_of(fields)

    def values_of(self, row: object) -> tuple[tuple[bool, Any], ...]:
        """The row's values, to sort by; None comes first."""
        return tuple((value is not None, value) for value in self._values(row))


class LostUpdateError(asyncpg.SerializationError):
    """Another transaction inserted a row that this one had not found. Transient: the whole transaction is retried.

    A row that does not exist cannot be locked. Two transactions may both find nothing, decide, and insert.
    """


class Statement:
    """SQL with named parameters, such as `:hub_ids`. Every parameter must be given, and no other."""

    def __init__(self, sql: str) -> None:
        self._names = tuple(dict.fromkeys(_PARAMETER.findall(sql)))
        places = {name: f"${place}" for place, name in enumerate(self._names, 1)}
        self.sql = _PARAMETER.sub(lambda found: places[found[1]], sql)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return self._names

    async def execute(self, connection: Connection, **arguments: Any) -> int:
        """Run it; returns how many rows it touched."""
        status = await connection.execute(self.sql, *self._values(arguments))
        return int(status.rpartition(" ")[2])

    async def records(self, connection: Connection, **arguments: Any) -> list[asyncpg.Record]:
        """The result, as asyncpg's records."""
        return await connection.fetch(self.sql, *self._values(arguments))

    async def pairs(self, connection: Connection, **arguments: Any) -> dict[str, Any]:
        """The first column of each row as a key, and the second as its value."""
        return {record[0]: record[1] for record in await self.records(connection, **arguments)}

    async def value(self, connection: Connection, **arguments: Any) -> Any:
        """The first column of the first row; None where there is no row."""
        return await connection.fetchval(self.sql, *self._values(arguments))

    async def plan(self, connection: Connection, **arguments: Any) -> str:
        """PostgreSQL's plan. A test looks here for the index."""
        rows = await connection.fetch(_EXPLAIN.format(self.sql), *self._values(arguments))
        return "\n".join(row[0] for row in rows)

    def _values(self, arguments: Mapping[str, Any]) -> list[Any]:
        if len(arguments) != len(self._names):
            raise TypeError(f"the statement takes {', '.join(self._names)}, not {', '.join(arguments)}")
        return [_listed(arguments[name]) for name in self._names]


class Query(Statement, Generic[R]):
    """A SELECT whose rows become structs. `{columns}` stands for the struct's columns, `{p.columns}` for those of alias p.

    `joined`: SQL for the columns that are in another table.
    """

    def __init__(
        self,
        sql: str,
        row: type[R],
        more: Sequence[str] = (),
        without: frozenset[str] = frozenset(),
        joined: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        shape = _shape(row, without)
        names = (*shape.columns, *more)

        def columns(found: re.Match[str]) -> str:
            of = f"{found[1]}." if found[1] else ""
            return ", ".join(f"{joined[name]} AS {name}" if name in joined else of + name for name in names)

        super().__init__(_COLUMNS.sub(columns, sql))
        self._shape = shape

    async def all(self, connection: Connection, **arguments: Any) -> list[R]:
        """All rows."""
        return self.read(await self.records(connection, **arguments))

    async def first(self, connection: Connection, **arguments: Any) -> R | None:
        """The first row; None where there is none."""
        rows = await self.all(connection, **arguments)
        return rows[0] if rows else None

    def read(self, records: Iterable[asyncpg.Record]) -> list[R]:
        """Records as structs."""
        return self._shape.read(records)


class Table(Generic[S]):
    """A table whose rows are structs of one type.

    `key`: the fields of the primary key; none for a ledger, whose rows are only ever added. `stamp`: the column of the time
    of the last change; None where there is none. The table keeps it, unless the struct has it as a field of its own.
    `derived`: properties of the struct that are columns as well, because a query or an index needs them. `parts`: fields
    of the struct that hold the rows of another table, whose key begins with the key of this one. They are written with
    the row, never deleted, and read by `fill`. `joined`: fields that are in another table, with the SQL that reads them.
    The book of the service writes them (`Book.follow`).
    """

    def __init__(
        self,
        name: str,
        row: type[S],
        *,
        key: str | tuple[str, ...],
        stamp: str | None = "changed_at",
        derived: tuple[str, ...] = (),
        parts: Mapping[str, Table[Any]] | None = None,
        joined: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.row = row
        self.stamp = stamp
        self.keeps_time = stamp is not None and stamp not in row.__struct_fields__
        fields = (key,) if isinstance(key, str) else key
        self.key_of: Callable[[S], Any] = attrgetter(*fields) if fields else lambda _row: ()
        self.parts = dict(parts or {})
        self._without, self._joined = frozenset(self.parts), joined
        self._shape = _shape(row, self._without)
        own = {column: field for column, field in self._shape.names.items() if field not in joined}
        self._fields = {**own, **{name: name for name in derived}}  # column → attribute
        column_of = {attribute: column for column, attribute in self._fields.items()}
        self.key = tuple(column_of[field] for field in fields)
        self._binary = self._shape.binary
        self._sends_time = self.keeps_time or any(part.keeps_time for part in self.parts.values())
        self._plain = not (derived or joined or self.parts or self._binary)
        self._encode = msgspec.json.Encoder(enc_hook=_plain).encode
        self._inserting = lru_cache(maxsize=8)(self._insert_sql)
        self._statement = lru_cache(maxsize=256)(self._update_sql)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that an insert fills from a row, in order."""
        return tuple(self._fields)

    def query(self, sql: str) -> Query[S]:
        """A SELECT of rows of this table."""
        more = (self.stamp,) if self.stamp and self.keeps_time else ()
        return Query(sql, self.row, more, self._without, self._joined)

    @cached_property
    def get(self) -> Query[S]:
        """Rows by the first column of their key (`:keys`), without a lock."""
        return self.query(self._by_key(_BY_KEY))

    @cached_property
    def lock(self) -> Query[S]:
        """Rows by the first column of their key (`:keys`), locked in the order of their keys."""
        return self.query(self._by_key(_BY_KEY + _LOCKED))

    @cached_property
    def of_owners(self) -> Query[S]:
        """The rows that are parts of some owners (`:keys`), in the order of their keys."""
        kind = "uuid" if self._shape.kinds[self.key[0]] is inspect.UUIDType else "text"
        return self.query(self._by_key(_OF_OWNERS).replace("{kind}", kind))

    async def find(self, connection: Connection, keys: Iterable[Any]) -> list[S]:
        """Rows by their keys with their parts, without a lock."""
        return await self.fill(connection, await self.get.all(connection, keys=set(keys)))

    async def fill(
        self, connection: Connection, rows: list[S], stamps: Callable[..., None] | None = None
    ) -> list[S]:
        """Rows with their parts. Calls `stamps` with the times of the parts' last changes."""
        for field, part in self.parts.items():
            records = await part.of_owners.records(connection, keys=[self.key_of(row) for row in rows])
            if stamps and part.stamp:
                stamps(*[record[part.stamp] for record in records])
            found: dict[Any, list[Any]] = {}
            for record, one in zip(records, part.of_owners.read(records), strict=True):
                found.setdefault(record[part.key[0]], []).append(one)
            rows = [replace(row, **{field: tuple(found.get(self.key_of(row), ()))}) for row in rows]
        return rows

    async def ensure(self, connection: Connection, keys: Iterable[Any]) -> None:
        """Make sure that there is a row for each key, with the table's defaults, so that it can be locked."""
        rows = self._encode([{self.key[0]: key} for key in sorted(set(keys))]).decode()
        await connection.execute(self._by_key(_ENSURE), rows)

    async def insert(self, connection: Connection, rows: Iterable[S], now: datetime) -> None:
        """Write new rows. Raises LostUpdateError if one of them exists."""
        in_order = sorted(rows, key=self.key_of)
        if not in_order:
            return
        try:
            await connection.execute(self._inserting(""), *self._values(in_order, now))
        except asyncpg.UniqueViolationError as error:
            raise LostUpdateError(f"another transaction wrote a row of {self.name} first") from error

    async def insert_missing(
        self,
        connection: Connection,
        rows: Iterable[S],
        now: datetime,
        unique: Unique | None = None,
    ) -> set[Any]:
        """Write rows that do not exist yet, and leave the others alone; returns the first key column of those written.

        Any unique index decides: one that is named alone would let two transactions meet at another one, and fail. A row
        waits for a transaction that writes the same values. All transactions therefore write in the order of `unique`'s
        values (or of the key), whatever order somebody sent them in: none waits for another that waits for it.
        """
        in_order = sorted(rows, key=unique.values_of if unique else self.key_of)
        if not in_order:
            return set()
        sql = self._inserting(" ON CONFLICT DO NOTHING")
        return {record[0] for record in await connection.fetch(sql, *self._values(in_order, now))}

    async def update(self, connection: Connection, pairs: Sequence[tuple[S, S]], now: datetime) -> None:
        """Write rows back, given before and after. Sends only the columns that changed in at least one row."""
        if not pairs:
            return
        before, after = [was for was, _ in pairs], [row for _, row in pairs]
        columns = tuple(
            column
            for column, attribute in self._fields.items()
            if column not in self.key and _differ(attribute, before, after)
        )
        if columns or self.keeps_time:
            await self._update(connection, pairs, columns, now)
        for field, part in self.parts.items():
            known = {part.key_of(one): one for was, _ in pairs for one in getattr(was, field)}
            present = [(part.key_of(one), one) for _, after in pairs for one in getattr(after, field)]
            await part.insert(connection, [one for key, one in present if key not in known], now)
            changed = [(known[key], one) for key, one in present if key in known and known[key] != one]
            await part.update(connection, changed, now)

    async def _update(
        self, connection: Connection, pairs: Sequence[tuple[S, S]], columns: tuple[str, ...], now: datetime
    ) -> None:
        rows = sorted((after for _, after in pairs), key=self.key_of)
        sent = {column: self._fields[column] for column in (*self.key, *columns)}
        keys = list({getattr(row, self._fields[self.key[0]]) for row in rows})
        await connection.execute(
            self._statement(columns), self.encoded(rows, sent), keys, *self._stamped(now)
        )

    def encoded(self, rows: list[S], sent: Mapping[str, str] | None = None) -> str:
        """The rows as the JSON that a statement takes. `sent` limits the columns."""
        if sent is None and self._plain:
            return self._encode(rows).decode()
        fields = sent or self._fields
        columns, values = tuple(fields), _values_of(tuple(fields.values()))
        objects = [dict(zip(columns, values(row), strict=True)) for row in rows]
        for column in self._binary & fields.keys():
            for one in objects:
                one[column] = _hex(one[column])
        return self._encode(objects).decode()

    def _stamped(self, now: datetime) -> tuple[datetime, ...]:
        return (now,) if self.keeps_time else ()

    def _by_key(self, sql: str) -> str:
        return sql.format(table=self.name, key=self.key[0], order=", ".join(self.key), columns="{columns}")

    def _values(self, rows: list[S], now: datetime) -> list[Any]:
        """The parameters of an insert: the rows, the time if there is a stamp, and the rows of each part."""
        parts = (
            part.encoded([one for row in rows for one in getattr(row, field)])
            for field, part in self.parts.items()
        )
        return [self.encoded(rows), *((now,) if self._sends_time else ()), *parts]

    def _insert_sql(self, conflict: str) -> str:
        """An insert that returns the first key column. The parts of a row that exists already are left out with it."""
        insert = self.insert_of("$1", "$2") + conflict
        if not (conflict or self.parts):
            return insert
        key, first = self.key[0], 3 if self._sends_time else 2
        insert = f"{insert} RETURNING {key}"
        if not self.parts:
            return insert
        parts = ", ".join(
            _PART.format(name=part.name, insert=part.insert_of(f"${place}", "$2"), owner=part.key[0], key=key)
            for place, part in enumerate(self.parts.values(), first)
        )
        return _WITH_PARTS.format(insert=insert, parts=parts, key=key)

    def insert_of(self, rows: str, time: str) -> str:
        """An INSERT of the rows in the parameter `rows`. The parameter `time` is there for a table that keeps the time."""
        columns = self.columns
        return _INSERT.format(
            table=self.name,
            columns=", ".join((*columns, str(self.stamp)) if self.keeps_time else columns),
            values=", ".join((*columns, time) if self.keeps_time else columns),
            rows=rows,
        )

    def _update_sql(self, columns: tuple[str, ...]) -> str:
        sets = [f"{column} = n.{column}" for column in columns]
        if self.keeps_time:
            sets.append(f"{self.stamp} = $3")
        return _UPDATE.format(
            table=self.name,
            sets=", ".join(sets),
            key=self.key[0],
            same=" AND ".join(f"t.{column} = n.{column}" for column in self.key),
        )


class _Shape(Generic[R]):
    """How rows of a struct are read."""

    def __init__(self, row: type[R], without: frozenset[str]) -> None:
        info = cast("inspect.StructType", inspect.type_info(row))
        hints = get_type_hints(row, include_extras=True)
        fields = [field for field in info.fields if field.name not in without]
        self.names = {field.encode_name: field.name for field in fields}  # column → field
        self.columns = tuple(self.names)
        self.kinds = {field.encode_name: type(field.type) for field in fields}
        self.binary = frozenset(column for column, kind in self.kinds.items() if kind is inspect.BytesType)
        self._nested = {
            field.encode_name: msgspec.json.Decoder(hints[field.name], dec_hook=_model).decode
            for field in fields
            if not _is_flat(field.type)
        }
        self._rows = list[row]

    def read(self, records: Iterable[asyncpg.Record]) -> list[R]:
        rows = [dict(record) for record in records]
        for column, decode in self._nested.items():
            for row in rows:
                if (text := row.get(column)) is not None:
                    row[column] = decode(text)
        return msgspec.convert(rows, self._rows, builtin_types=_NATIVE, dec_hook=_model)


@lru_cache(maxsize=256)
def _shape(row: type[R], without: frozenset[str] = frozenset()) -> _Shape[R]:
    return _Shape(row, without)


def _is_flat(kind: inspect.Type) -> bool:
    """Whether asyncpg sends the value as it is: a scalar or an array of scalars. Everything else is jsonb."""
    if isinstance(kind, inspect.UnionType):
        return all(_is_flat(one) for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, _ARRAYS):
        return isinstance(kind.item_type, _SCALARS)
    return isinstance(kind, _SCALARS)


def _hex(value: bytes | None) -> str | None:
    """Bytes as bytea reads them from text."""
    return None if value is None else "\\x" + value.hex()


def _differ(attribute: str, before: Iterable[object], after: Iterable[object]) -> bool:
    """Whether any row differs from the one before in an attribute. Written so that the interpreter sees no single row."""
    value = attrgetter(attribute)
    return any(map(ne, map(value, before), map(value, after)))


def _values_of(attributes: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    values = attrgetter(*attributes)
    return values if len(attributes) > 1 else lambda row: (values(row),)


def _listed(value: Any) -> Any:
    """Sets and generators as lists, which asyncpg sends as arrays."""
    if type(value) in _SENT_AS_IT_IS:
        return value
    is_collection = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Sequence, Mapping))
    return list(value) if is_collection or isinstance(value, AbstractSet) else value


def _plain(model: object) -> object:
    if isinstance(model, BaseModel):
        return model.__dict__
    raise NotImplementedError(type(model).__name__)  # msgspec asks for this error


def _model(kind: type, value: object) -> object:
    """A contract's model within a struct."""
    return (
        value
        if isinstance(value, kind)
        else cast("type[BaseModel]", kind).model_validate(value, strict=False)
    )


_EXPLAIN = "EXPLAIN {}"

_BY_KEY = "SELECT {columns} FROM {table} WHERE {key} = ANY (:keys)"

# OFFSET 0 keeps the planner from joining. It would read all of a table that was just filled and never analysed.
_OF_OWNERS = """
SELECT {{p.columns}} FROM unnest(:keys::{{kind}}[]) AS owner (key)
CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {key} = owner.key ORDER BY {order} OFFSET 0) AS p
"""

_LOCKED = " ORDER BY {order} FOR NO KEY UPDATE"

_ENSURE = """
INSERT INTO {table} ({key})
SELECT {key} FROM json_populate_recordset(NULL::{table}, $1) ORDER BY {key} ON CONFLICT DO NOTHING
"""

_INSERT = """
INSERT INTO {table} ({columns})
SELECT {values} FROM json_populate_recordset(NULL::{table}, {rows})
"""

_WITH_PARTS = "WITH written AS ({insert}), {parts} SELECT {key} FROM written"

_PART = "{name} AS ({insert} WHERE {owner} IN (SELECT {key} FROM written))"

# The rows are named twice: by the array, so that the index finds them, and by the join.
_UPDATE = """
UPDATE {table} AS t SET {sets}
FROM json_populate_recordset(NULL::{table}, $1) AS n WHERE t.{key} = ANY ($2) AND {same}
"""
