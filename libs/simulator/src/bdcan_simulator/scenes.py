"""Six scenes of the play in a sentence each: what happened, and what the system did. All from what its APIs say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType

from bdcan_contracts.vocabulary import HELPED, EscalationOutcome, Reason
from bdcan_simulator.audit import Details, Facts
from bdcan_simulator.ledger import Ledger

NOT_THIS_TIME = "It did not occur in this run."

GIVEN_BACK = frozenset({"declined", *EscalationOutcome} - HELPED)
"""States and outcomes of escalations after which the same need is with its hub again."""


def tell_scenes(ledger: Ledger, facts: Facts) -> dict[str, str]:
    """Each scene's name with what became of it."""
    return {name: tell(ledger, facts) or NOT_THIS_TIME for name, tell in _SCENES.items()}


def _changed_allergy(ledger: Ledger, facts: Facts) -> str | None:
    refilled, filled, stopped, warned = set[str](), set[str](), set[str](), set[str]()
    residents = 0
    for referral in _referrals(facts):
        if referral["referral_id"] not in ledger.allergies:
            continue
        before, after = _around(referral["timeline"], "referral.amended")
        if not after:
            continue
        residents += 1
        asked_before, asked_after = _parcels(before, "parcel.requested"), _parcels(after, "parcel.requested")
        refilled |= asked_before & asked_after
        filled |= asked_after - asked_before
        stopped |= _parcels(after, "parcel.stopped")
        warned |= _parcels(after, "parcel.warned")
    if not residents:
        return None
    became = {
        "filled anew": refilled,
        "filled for the first time": filled,
        "stopped until a person had looked": stopped,
        "whose driver was warned": warned,
    }
    parcels = ", ".join(f"{len(ids)} {what}" for what, ids in became.items() if ids)
    return f"{_many(residents, 'resident')} rang the desk about a new allergy. Their parcels after that: {parcels or 'none'}."


def _lapsed_check(ledger: Ledger, facts: Facts) -> str | None:
    del ledger
    handed_back = {
        line["detail"]["task_id"]
        for referral in _referrals(facts)
        for line in referral["timeline"]
        if line["kind"] in {"task.failed", "task.offer-withdrawn"}
        and line["detail"].get("reason") == Reason.CHECK_MISSING
    }
    if not handed_back:
        return None
    states = Counter(task["state"] for task in facts.tasks if task["task_id"] in handed_back)
    return (
        f"DBS checks ran out while volunteers had {_many(len(handed_back), 'task')} that the law reserves to the checked. "
        f"Each was taken from them and offered again; by now: {_counts(states)}."
    )


def _give_back(ledger: Ledger, facts: Facts) -> str | None:
    del ledger
    back = [e for e in facts.escalations if not GIVEN_BACK.isdisjoint((e["state"], e.get("outcome")))]
    if not back:
        return None
    why = Counter(e.get("outcome") or e["state"] for e in back)
    given_back = {need["need_id"] for escalation in back for need in escalation["needs"]}
    states = Counter(
        need["state"]
        for referral in _referrals(facts)
        for need in referral["needs"]
        if need["need_id"] in given_back
    )
    return (
        f"Community Solutions gave {_many(len(back), 'case')} back without help ({_counts(why)}). The hubs had their "
        f"{_many(len(given_back), 'need')} again, and asked the residents; by now: {_counts(states)}."
    )


def _undo(ledger: Ledger, facts: Facts) -> str | None:
    del ledger
    undone = spoken_to = 0
    for referral in _referrals(facts):
        _, after = _around(referral["timeline"], "welfare-call.reopened", reason=Reason.OUTCOME_UNDONE.value)
        undone += bool(after)
        spoken_to += any(line["kind"] == "welfare-call.completed" for line in after)
    if not undone:
        return None
    return (
        f"Callers reported {_many(undone, 'call')} as unanswered by a slip, and undid it. The residents were on the list "
        f"of calls again at once; {spoken_to} of them were spoken to after that."
    )


def _repeated_row(ledger: Ledger, facts: Facts) -> str | None:
    rows = [
        (key, row)
        for told in facts.imports
        for row in told["duplicate_rows"]
        if (key := ledger.key_of(told["source"], row.get("reference"), row["referral_id"]))
    ]
    if not rows:
        return None
    _, first = rows[0]
    repeated = {key for key, _ in rows}
    twice = [key for key in repeated if len(_without_follow_ups(facts, key)) != 1]
    followed = sum(
        bool(referral.get("previous_referral_id"))
        for (source, _), found in facts.referrals.items()
        for referral in found
        if source in {told["source"] for told in facts.imports}
    )
    closed = f" {followed} more had a referral that was closed: a new one follows it." if followed else ""
    return (
        f"Lists repeated {_many(len(rows), 'row')}. Intake named each with the referral that it repeats (such as line "
        f"{first['line']}: {first['referral_id']}, {first['state']}); of them, {len(twice)} led to a second referral.{closed}"
    )


def _erasure(ledger: Ledger, facts: Facts) -> str | None:
    del facts
    if not (met := ledger.met):
        return None
    moments = _counts(Counter(one.moment.value for one in met))
    gone = sum((one.rows for one in met), Counter[str]())
    shown = sum(one.rows_shown for one in met)
    return (
        f"{_many(len(met), 'resident')} asked what is held about them, were shown {_many(shown, 'row')}, and asked to be erased "
        f"({moments}). The five services deleted or emptied {_many(gone.total(), 'row')} ({', '.join(sorted(gone))}). "
        "What stays are codes, ids and times: they say no more who it was about."
    )


_SCENES: MappingProxyType[str, Callable[[Ledger, Facts], str | None]] = MappingProxyType(
    {
        "A changed allergy": _changed_allergy,
        "A lapsed check": _lapsed_check,
        "A give-back by the council": _give_back,
        "An undo": _undo,
        "A repeated row": _repeated_row,
        "An erasure": _erasure,
    }
)


def _referrals(facts: Facts) -> Iterator[Details]:
    for found in facts.referrals.values():
        yield from found


def _without_follow_ups(facts: Facts, key: tuple[str, str]) -> list[Details]:
    return [r for r in facts.referrals.get(key, ()) if not r.get("previous_referral_id")]


def _around(timeline: list[Details], kind: str, **detail: str) -> tuple[list[Details], list[Details]]:
    """The timeline before the first line of this kind with these details, and from it on."""
    for place, line in enumerate(timeline):
        if line["kind"] == kind and detail.items() <= (line.get("detail") or {}).items():
            return timeline[:place], timeline[place:]
    return timeline, []


def _parcels(lines: Iterable[Details], kind: str) -> set[str]:
    return {line["detail"]["parcel_id"] for line in lines if line["kind"] == kind}


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counter.items()))
