"""Every column of every table says whether it is about people, and what is about people ends at some time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bdcan_chassis.columns import CHASSIS_COLUMNS, Columns
from bdcan_chassis.retention import CHASSIS_KEPT, Kept
from bdcan_local.privacy_page import columns_of, kept_of
from bdcan_local.processes import SERVICES, own_name

ROOT = Path(__file__).parents[2]
_TABLE = re.compile(r"CREATE TABLE (?:public\.)?([\w.]+) \((.*?)\n\)", re.DOTALL)


def _declared(schema: str) -> dict[str, set[str]]:
    """The columns of each table of a schema."""
    return {
        table: {
            line.split()[0]
            for line in body.splitlines()
            if line.strip() and not line.strip().startswith("CONSTRAINT")
        }
        for table, body in _TABLE.findall(schema)
    }


def _stores() -> Iterator[tuple[str, tuple[Columns, ...], tuple[Kept, ...], Path]]:
    yield (
        "chassis",
        CHASSIS_COLUMNS,
        CHASSIS_KEPT,
        ROOT / "libs/chassis/src/bdcan_chassis/schema.sql",
    )
    for name in SERVICES:
        yield (
            name,
            columns_of(name),
            kept_of(name),
            ROOT / f"services/{name}/src/{own_name(name)}/store/schema.sql",
        )


STORES = list(_stores())
each = pytest.mark.parametrize(("name", "tables", "kinds", "schema"), STORES, ids=[one[0] for one in STORES])


def unclassified(tables: tuple[Columns, ...], schema: str) -> list[str]:
    """What is wrong with the lists of columns of a schema."""
    declared, wrong = _declared(schema), []
    listed = {one.table: one for one in tables}
    wrong += [f"{table}: is in no list" for table in declared.keys() - listed.keys()]
    for table, one in listed.items():
        columns = declared.get(table, set())
        wrong += [f"{table}.{column}: is in no list" for column in columns - set(one.all)]
        wrong += [f"{table}.{column}: does not exist" for column in set(one.all) - columns]
        wrong += [f"{table}.{column}: is there twice" for column in set(one.all) if one.all.count(column) > 1]
    return wrong


def _ends(kind: Kept, column: str) -> bool:
    return not kind.emptied or column in kind.emptied


@each
def test_no_column_is_forgotten(
    name: str, tables: tuple[Columns, ...], kinds: tuple[Kept, ...], schema: Path
) -> None:
    assert len(_declared(schema.read_text())) == len(tables) > 2
    assert unclassified(tables, schema.read_text()) == []


@each
def test_what_is_about_people_ends(
    name: str, tables: tuple[Columns, ...], kinds: tuple[Kept, ...], schema: Path
) -> None:
    for one in tables:
        ending = [kind for kind in kinds if kind.table == one.table]
        for column in one.about_people:
            by_retention = any(_ends(kind, column) for kind in ending)
            otherwise = one.ends and (not ending or column in one.accounts.split())
            assert by_retention or otherwise, f"{one.table}.{column} is kept for ever"
        for column in one.person.split():
            on_request = any(
                _ends(kind, column) and (kind.of_subjects or kind.stays_about or kind.by_rule)
                for kind in ending
            )
            otherwise = name == "chassis" or (one.ends and not ending)
            assert on_request or otherwise, f"{one.table}.{column} outlives an erasure"


@each
def test_kinds_name_columns_that_exist(
    name: str, tables: tuple[Columns, ...], kinds: tuple[Kept, ...], schema: Path
) -> None:
    declared = _declared(schema.read_text())
    for kind in kinds:
        assert set(kind.emptied) <= declared[kind.table], kind.name


def test_new_column_and_new_table_without_a_word_are_found() -> None:
    schema = (
        "CREATE TABLE public.a (\n    id uuid,\n    name text\n);\nCREATE TABLE public.b (\n    id uuid\n);"
    )
    assert unclassified((Columns("a", plain="id gone"),), schema) == [
        "b: is in no list",
        "a.name: is in no list",
        "a.gone: does not exist",
    ]
