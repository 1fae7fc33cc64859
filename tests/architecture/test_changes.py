"""Every change of an aggregate is a Step that a Book writes: nobody can forget its events, deadlines, wakes or time."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bdcan_chassis.book import Book
from bdcan_local.processes import SERVICES, own_name

ROOT = Path(__file__).parents[2]
EFFECTS = {"emit", "set_deadline", "cancel_deadline", "wake"}
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+(?:public\.)?([a-z_]+)", re.IGNORECASE)

MAY_TELL = {
    # an answer to a sender, about a submission that may never become a referral
    "intake": {"books.py", "inbound.py"},
}
"""Files that may emit or wake by themselves; in any other service, its books."""


def sources(service: str) -> Iterator[tuple[Path, ast.Module]]:
    package = ROOT / "services" / service / "src" / own_name(service)
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package), ast.parse(path.read_text("utf-8"))


def tables_of_books(service: str) -> set[str]:
    books = importlib.import_module(f"{own_name(service)}.books")
    found: list[Any] = [one for _, one in inspect.getmembers(books, inspect.isclass) if issubclass(one, Book)]
    return {one.table.name for one in found if one is not Book}


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_books(service: str) -> None:
    assert tables_of_books(service)


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_domain_replaces_state(service: str) -> None:
    outside = [
        str(path)
        for path, tree in sources(service)
        if path.parts[0] != "domain"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "msgspec.structs"
        and any(name.name == "replace" for name in node.names)
    ]
    assert outside == []


@pytest.mark.parametrize("service", SERVICES)
def test_only_books_emit_and_keep_deadlines(service: str) -> None:
    found = {
        str(path)
        for path, tree in sources(service)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EFFECTS
    }
    assert found <= MAY_TELL.get(service, {"books.py"})


@pytest.mark.parametrize("service", SERVICES)
def test_no_statement_changes_the_table_of_a_book(service: str) -> None:
    tables = tables_of_books(service)
    written = {
        f"{path}: {table}"
        for path, tree in sources(service)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for table in WRITES.findall(node.value)
        if table in tables
    }
    assert written == set()
