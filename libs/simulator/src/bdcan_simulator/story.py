"""One resident's referral told as a story, from the timeline that intake keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from bdcan_simulator.audit import Details

_WORDS = {
    "referral.received": "The request came in ({channel}, {priority}).",
    "referral.amended": "More became known about the request.",
    "referral.withdrawn": "The resident withdrew the request.",
    "referral.assigned": "It went to {hub_id}: {explanation}.",
    "referral.reassigned": "It moved to {hub_id}: {explanation}.",
    "referral.held-for-triage": "Nobody could place it ({reason}): a coordinator looks.",
    "referral.out-of-area": "The home is outside the borough.",
    "referral.closed": "Closed: {outcome}.",
    "referral.reopened": "A need turned up after the end: it is open again.",
    "referral.linked": "It may be about the same person or household as another request: the hub is told.",
    "safeguarding-concern.raised": "A safeguarding concern went out at once, before anything else.",
    "welfare-call.completed": "{hub_id} rang and spoke to the resident.",
    "welfare-call.unanswered": "{hub_id} rang, {outcome}; the next call is due {next_attempt_at}.",
    "welfare-call.exhausted": "Nobody was reached after {attempts} calls: a welfare concern.",
    "welfare-call.overdue": "Nobody at {hub_id} has rung by {due_at}: an alarm is raised.",
    "welfare-call.reopened": "{hub_id} rings again ({reason}): due {due_at}.",
    "task.opened": "A volunteer is sought: {kind}.",
    "task.accepted": "A volunteer accepted: {kind}.",
    "task.completed": "Done: {kind}.",
    "task.failed": "It did not work out ({reason}): {kind}. Somebody else is asked.",
    "task.offer-withdrawn": "The offer is withdrawn ({reason}): {kind}. Somebody else is asked.",
    "task.reopened": "It is not done after all ({reason}): {kind}.",
    "task.cancelled": "No longer wanted: {kind}.",
    "task.unfilled": "Still nobody found for it: {kind}. An alarm is raised.",
    "parcel.requested": "A parcel is asked for: {code}, {items} pieces.",
    "parcel.reserved": "The stock for the parcel is set aside.",
    "parcel.short": "The site lacks something for the parcel and waits for a delivery.",
    "parcel.packed": "The parcel is packed, {bags} bag(s).",
    "parcel.stopped": "Something changed about the resident: the parcel is stopped, and a person decides.",
    "parcel.warned": "Something changed about the resident: the driver is told.",
    "parcel.dispatched": "The parcel is on its way.",
    "parcel.delivered": "The parcel is at the door.",
    "parcel.returned": "The parcel came back ({reason}).",
    "parcel.cancelled": "The parcel is cancelled.",
    "escalation.opened": "It is put to Community Solutions: {code}.",
    "escalation.forwarded": "Community Solutions has it.",
    "escalation.acknowledged": "A person at Community Solutions has seen it.",
    "escalation.accepted": "Community Solutions takes it on.",
    "escalation.declined": "Community Solutions gives it back to the hub ({reason}).",
    "escalation.closed": "Community Solutions is done: {outcome}.",
    "escalation.overdue": "Community Solutions is late to {stage}: it is asked again.",
}


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def most_telling(referrals: Iterable[Details]) -> Details | None:
    """The referral with the most to tell: helped, over when it closed, with different kinds of event."""

    def telling(referral: Details) -> tuple[bool, bool, int, int]:
        kinds = [line["kind"] for line in referral["timeline"]]
        helped = referral.get("outcome") in {"helped", "partly-helped"}
        return helped, kinds[-1:] == ["referral.closed"], len(set(kinds)), -len(kinds)

    return max(referrals, key=telling, default=None)


def tell(referral: Details) -> Iterator[str]:
    """The story, a line for each event, with the time of day that it took place."""
    first: datetime | None = None
    for line in referral["timeline"]:
        at = datetime.fromisoformat(line["at"])
        first = first or at
        day = (at.date() - first.date()).days
        when = f"{at:%H:%M}" + (f" (+{day} d)" if day else "")
        yield f"{when}  {_sentence(line)}"


def _sentence(line: Details) -> str:
    details = {name: _readable(value) for name, value in (line.get("detail") or {}).items()}
    kind = str(line["kind"])
    template = _WORDS.get(kind, kind.replace(".", ": "))
    text = template.format_map(_Known(details)).replace("..", ".")
    return text[:1].upper() + text[1:]


def _readable(value: Any) -> str:
    text = str(value)
    if len(text) > 18 and text[10:11] == "T":
        return f"{datetime.fromisoformat(text):%d %B, %H:%M}"
    return text.replace("-", " ") if text.islower() else text
