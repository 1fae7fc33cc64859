"""Those who submit over HTTP: the phone desk with its operators' tokens, and systems with an API key."""

from __future__ import annotations

from typing import Any

from bdcan_simulator.borough import PHONE_DESK, Door
from bdcan_simulator.client import Client
from bdcan_simulator.forms import as_json
from bdcan_simulator.identity import Machine, Who, person
from bdcan_simulator.ledger import BadInput, Ledger, Submission
from bdcan_simulator.pace import Pace
from bdcan_simulator.volunteers import chance

OPERATOR = person("operator-at-the-desk", "referrals:write referrals:read hubs:all", source=PHONE_DESK.name)
"""A clerk with a token of the desk."""

_SENT_TWICE = 3
_WITHDRAWN = 0.01
_BAD: tuple[tuple[str, Any], ...] = (
    ("an unknown need and an unknown channel", {"channel": "pigeon", "needs": ["pony"]}),
    ("a field that does not exist", {"channel": "phone", "needs": ["errand"], "colour": "red"}),
    ("a household of minus one", {"channel": "phone", "needs": ["food-parcel"], "household": {"adults": -1}}),
)


async def submit_all(client: Client, ledger: Ledger, pace: Pace) -> None:
    """Submit everything that goes in by HTTP: each once, a few twice, a few wrong."""
    submissions = ledger.through(Door.HTTP)

    async def submit(numbered: tuple[int, Submission]) -> None:
        number, submission = numbered
        await pace.turn(number, len(submissions))
        await _submit(client, ledger, submission)

    await client.for_each(enumerate(submissions), submit)
    await client.for_each(submissions[:_SENT_TWICE], lambda s: _submit_again(client, ledger, s))
    await client.for_each(enumerate(_BAD), lambda item: _submit_wrong(client, ledger, *item))


async def withdraw_some(client: Client, ledger: Ledger) -> None:
    """One resident in a hundred rings the desk and needs no help any more."""

    async def withdraw(submission: Submission) -> None:
        path = f"/v1/referrals/{submission.referral_id}/withdrawal"
        key = f"{submission.reference}/withdrawal"
        answer = await client.post(OPERATOR, "intake", path, {"reason": "resident-withdrew"}, key=key)
        ledger.done["withdrawals" if answer.ok else "withdrawals too late"] += 1

    withdrawing = [
        s
        for s in ledger.through(Door.HTTP)
        if s.referral_id
        and (s.source, s.reference) not in ledger.erasures
        and chance(ledger.run, s.reference, "withdraws") < _WITHDRAWN
    ]
    await client.for_each(withdrawing, withdraw, at_once=1)


def _who(submission: Submission) -> Who:
    return OPERATOR if submission.resident.system is PHONE_DESK else Machine()


async def _submit(client: Client, ledger: Ledger, submission: Submission) -> None:
    body = as_json(submission)
    answer = await client.post(_who(submission), "intake", "/v1/referrals", body, key=submission.reference)
    if not answer.ok:
        ledger.done[f"http submissions refused: {answer.problem}"] += 1
        return
    submission.acknowledged = True
    ledger.learn(submission.source, submission.reference, answer.json()["referral_id"])


async def _submit_again(client: Client, ledger: Ledger, submission: Submission) -> None:
    """Another request for the same reference, not the same request again: only intake can recognise it."""
    key = f"{submission.reference}/again"
    body = as_json(submission)
    answer = await client.post(_who(submission), "intake", "/v1/referrals", body, key=key)
    ledger.sent_twice[Door.HTTP] += 1
    ledger.recognised[Door.HTTP] += answer.ok and answer.json()["referral_id"] == submission.referral_id


async def _submit_wrong(client: Client, ledger: Ledger, number: int, bad: tuple[str, Any]) -> None:
    what, body = bad
    reference = f"{ledger.run}-bad-{number}"
    entry = BadInput(Door.HTTP, what, reference)
    ledger.bad.append(entry)
    body = body | {"reference": reference}
    answer = await client.post(OPERATOR, "intake", "/v1/referrals", body, key=reference)
    entry.answer = answer.problem if not answer.ok else None
