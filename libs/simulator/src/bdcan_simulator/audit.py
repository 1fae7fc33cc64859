"""What became of everything, as the public APIs tell it: the facts that the report judges. Nothing is taken from counters.

Every list is paged to its end, every referral of the run is read with its timeline.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bdcan_simulator.borough import SYSTEMS
from bdcan_simulator.client import Client
from bdcan_simulator.directory import READER
from bdcan_simulator.identity import person
from bdcan_simulator.ledger import Ledger, is_bad_on_purpose
from bdcan_simulator.paging import every

AUDITOR = person(
    "auditor", "referrals:read parcels:read stock:read tasks:read calls:read escalations:read hubs:all"
)
OPERATOR = person("operator", "ops:dead-letters hubs:all")
INBOUND = "bdcan.intake.inbound-referrals.v1"

Details = dict[str, Any]


@dataclass
class Facts:
    """What the system says at the end."""

    referrals: dict[tuple[str, str], list[Details]] = field(default_factory=dict)
    """The referrals of this run by source and reference, each as GET /v1/referrals/{id} tells it."""
    parcels: list[Details] = field(default_factory=list)
    tasks: list[Details] = field(default_factory=list)
    escalations: list[Details] = field(default_factory=list)
    imports: list[Details] = field(default_factory=list)
    """The uploads of this run, each with the rows that repeat an earlier one."""
    parked: list[Details] = field(default_factory=list)
    """Dead letters of all services, each with its `service`, and `ours` where it is bad input of this run."""
    summaries: dict[str, Details] = field(default_factory=dict)


async def gather_facts(client: Client, ledger: Ledger) -> Facts:
    """Read everything. Raises ServiceError."""
    facts = Facts()
    facts.referrals = await _referrals(client, ledger)
    for service, path, into in (
        ("foodhub", "/v1/parcels", facts.parcels),
        ("volunteer-match", "/v1/tasks", facts.tasks),
        ("escalation", "/v1/escalations", facts.escalations),
    ):
        async for item in every(client, AUDITOR, service, path):
            if item["referral_id"] in ledger.by_referral:
                into.append(item)
    facts.imports = await _imports(client, ledger)
    facts.parked = await _parked(client, ledger)
    for service in ("intake", "volunteer-match", "foodhub", "escalation"):
        answer = await client.get(AUDITOR, service, "/v1/summary")
        facts.summaries[service] = answer.json() if answer.ok else {}
    return facts


async def _referrals(client: Client, ledger: Ledger) -> dict[tuple[str, str], list[Details]]:
    # whoever was erased has no reference any more
    found = dict(ledger.erased)
    for system in SYSTEMS:
        async for item in every(client, READER, "intake", "/v1/referrals", source=system.name):
            if key := ledger.key_of(system.name, item.get("reference"), item["referral_id"]):
                found[item["referral_id"]] = key
                ledger.learn(*key, item["referral_id"])
    by_key: dict[tuple[str, str], list[Details]] = defaultdict(list)

    async def read(item: tuple[str, tuple[str, str]]) -> None:
        referral_id, key = item
        answer = await client.get(READER, "intake", f"/v1/referrals/{referral_id}")
        if answer.ok:
            by_key[key].append(answer.json())

    await client.for_each(found.items(), read, at_once=12)
    return dict(by_key)


async def _imports(client: Client, ledger: Ledger) -> list[Details]:
    answers = [
        await client.get(READER, "intake", f"/v1/referral-imports/{import_id}")
        for import_id in ledger.imports
    ]
    return [answer.json() for answer in answers if answer.ok]


async def _parked(client: Client, ledger: Ledger) -> list[Details]:
    bad = {entry.reference: entry for entry in ledger.bad if entry.reference}
    parked: list[Details] = []
    for service in client.apis:
        answer = await client.get(OPERATOR, service, "/v1/dead-letters", limit=1000)
        for letter in answer.json().get("items", ()) if answer.ok else ():
            entry, reference = None, ""
            if letter["topic"] == INBOUND:
                reference = await _reference_of(client, service, letter["id"])
                entry = bad.get(reference)
            if entry is None and is_bad_on_purpose(reference):
                continue  # of an earlier run on this system
            if entry is not None and entry.answer is None:
                entry.answer = f"parked: {letter['reason']}, {letter['error']}"
            parked.append(letter | {"service": service, "ours": entry is not None})
    return parked


async def _reference_of(client: Client, service: str, letter_id: str) -> str:
    answer = await client.post(
        OPERATOR,
        service,
        f"/v1/dead-letters/{letter_id}/views",
        {"reason": "The demo tells its bad input on purpose from anything else."},
        key=f"{letter_id}/view",
    )
    headers = answer.json().get("headers", {}) if answer.ok else {}
    return headers.get("ce_subject", "").partition(":")[2]
