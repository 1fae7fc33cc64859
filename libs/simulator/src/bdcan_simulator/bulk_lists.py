"""Those who send lists: the national shielding list and the council's outreach desk, as CSV files over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from functools import partial
from typing import Any

from bdcan_simulator.borough import NHS_LIST, OUTREACH_DESK, Door, System
from bdcan_simulator.client import Client
from bdcan_simulator.forms import as_csv, as_row
from bdcan_simulator.identity import Person, person
from bdcan_simulator.ledger import BadInput, Ledger, Submission
from bdcan_simulator.pace import Pace
from bdcan_simulator.paging import every

ROWS_PER_FILE = 1000

_SENT_TWICE = 3
_BAD: tuple[tuple[str, dict[str, str]], ...] = (
    ("an unknown need", {"needs": "pony"}),
    ("an unknown diet", {"diets": "moon-cheese"}),
    ("an unknown flag", {"flags": "purple"}),
)


async def upload_all(client: Client, ledger: Ledger, pace: Pace) -> None:
    """Upload each system's list in files of a thousand rows; its first rows come again, and a few are wrong."""
    for system in (NHS_LIST, OUTREACH_DESK):
        rows = [s for s in ledger.through(Door.CSV) if s.resident.system is system]
        if rows:
            files = range(0, len(rows), pace.portion(ROWS_PER_FILE, len(rows)))
            await client.for_each(files, partial(_upload, client, ledger, pace, system, rows, files.step))
            await client.for_each(
                [rows[:_SENT_TWICE]], partial(_upload_again_with_bad_rows, client, ledger, system)
            )
            await _learn_referrals(client, ledger, system)


def clerk(system: System) -> Person:
    """Whoever uploads for a system."""
    return person(f"clerk-of-{system.name}", "referrals:write referrals:read hubs:all", source=system.name)


async def _upload(
    client: Client,
    ledger: Ledger,
    pace: Pace,
    system: System,
    all_rows: list[Submission],
    count: int,
    start: int,
) -> None:
    await pace.turn(start, len(all_rows))
    rows = all_rows[start : start + count]
    told = await _import(client, ledger, system, str(start), map(as_row, rows))
    if told is None:
        return
    for submission in rows:
        submission.acknowledged = True
    # an upload that was cut off is sent again: what went in the first time is a duplicate then
    not_taken = len(rows) - told["accepted"] - told["duplicates"]
    if not_taken:
        ledger.done[f"csv rows of {system.name} not taken"] += not_taken


async def _upload_again_with_bad_rows(
    client: Client, ledger: Ledger, system: System, rows: list[Submission]
) -> None:
    entries = [
        BadInput(Door.CSV, what, f"{ledger.run}-bad-{system.name}-{number}")
        for number, (what, _) in enumerate(_BAD)
    ]
    ledger.bad.extend(entries)
    wrong = [
        {"reference": entry.reference or "", "channel": system.channels[0].value, "name": "A. Slip"} | cells
        for entry, (_, cells) in zip(entries, _BAD, strict=True)
    ]
    told = await _import(client, ledger, system, "again", [*map(as_row, rows), *wrong])
    if told is None:
        return
    ledger.sent_twice[Door.CSV] += len(rows)
    ledger.recognised[Door.CSV] += told["duplicates"]
    if told["refused"]:
        path = f"/v1/referral-imports/{told['import_id']}/errors.csv"
        errors = await client.get(clerk(system), "intake", path)
        _note_refusals(entries, errors.body.decode())


async def _import(
    client: Client, ledger: Ledger, system: System, part: str, rows: Iterable[dict[str, str]]
) -> dict[str, Any] | None:
    """Upload one file. Returns what intake says about it, or None where it refuses the whole file."""
    answer = await client.post(
        clerk(system),
        "intake",
        "/v1/referral-imports",
        as_csv(rows),
        key=f"{ledger.run}/{system.name}/{part}",
        params={"source": system.name},
    )
    if answer.ok:
        told = answer.json()
        ledger.imports.append(told["import_id"])
        return told
    ledger.done[f"csv files refused: {answer.problem}"] += 1
    return None


def _note_refusals(entries: list[BadInput], errors_csv: str) -> None:
    """The error file has a line for each thing that is wrong with a row, and names the row's reference."""
    errors = list(csv.DictReader(io.StringIO(errors_csv)))
    for entry in entries:
        said = [f"{e['field']}: {e['code']}" for e in errors if e["reference"] == entry.reference]
        if said:
            entry.answer = "; ".join(said)


async def _learn_referrals(client: Client, ledger: Ledger, system: System) -> None:
    """An import answers for the file; the list of referrals shows which referral each row became."""
    async for item in every(client, clerk(system), "intake", "/v1/referrals", source=system.name):
        ledger.learn(system.name, item.get("reference"), item["referral_id"])
