"""What the simulator sent and what it was told: the measure against which the system is judged at the end."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bdcan_contracts.inbound.references import hashed
from bdcan_simulator.borough import Door, Resident

_DONE_FOR_GOOD = (
    "volunteers active",
    "triage decisions",
    "tasks completion",
    "parcels packed",
    "erasures done",
)
_NOBODY: Mapping[int, Moment] = MappingProxyType({})


@dataclass(slots=True)
class Submission:
    """One request for help that must not get lost."""

    resident: Resident
    source: str
    reference: str
    acknowledged: bool = False
    """The door said that it has it: a 2xx, an import's answer, or the broker's acknowledgement."""
    referral_id: str | None = None
    found: int = 0
    """Needs that calls have brought to light."""

    @property
    def door(self) -> Door:
        """How it went in."""
        return self.resident.system.door


@dataclass(slots=True)
class BadInput:
    """Something wrong, sent on purpose, and what the system said to it."""

    door: Door
    what: str
    reference: str | None
    answer: str | None = None
    """None until the system refused it with a reason."""


@dataclass(slots=True)
class Told:
    """What an upstream system was told of a referral after its first receipt."""

    receipts: int = 0
    last: str | None = None
    ended_twice: bool = False
    """It was told of an end, and then of another one, with nothing between them."""

    def hear(self, state: str) -> None:
        """Take one receipt, in the order of the topic."""
        self.receipts += 1
        self.ended_twice |= self.last == state == "closed"
        self.last = state


class Moment(StrEnum):
    """When a resident asks to be erased."""

    AT_ONCE = "at once"
    PLACED = "when a hub had the request"
    RUNG = "after a call"
    IN_HAND = "while somebody was at work for them"
    ENDED = "after the end"
    IN_VAIN = "after waiting in vain"
    """The moment that they waited for did not come."""


@dataclass(slots=True)
class Erasure:
    """A resident who asks to be erased, and what became of that. `receipt`: as intake shows it."""

    moment: Moment
    referral_id: str | None = None
    """None until intake took the request."""
    rows_shown: int = 0
    receipt: dict[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether all five services have erased."""
        return self.receipt.get("state") == "done"

    @property
    def rows(self) -> Counter[str]:
        """How many rows the services erased, by kind."""
        rows: Counter[str] = Counter()
        for answer in self.receipt["answers"]:
            rows.update(answer["rows"])
        return rows

    @property
    def kept(self) -> set[str]:
        """Codes of what stays without the person."""
        return {code for answer in self.receipt["answers"] for code in answer["keeps"]}


_BAD = re.compile(r"r[0-9a-f]{12}-bad-.+")


def is_bad_on_purpose(reference: str) -> bool:
    """Whether a run of the demo made this reference for bad input: this run, or an earlier one on the same system."""
    return _BAD.fullmatch(reference) is not None


@dataclass
class Ledger:
    """The books of one run. References carry the run's label, so that runs against one system never meet."""

    run: str
    submissions: dict[tuple[str, str], Submission] = field(default_factory=dict)
    by_referral: dict[str, Submission] = field(default_factory=dict)
    bad: list[BadInput] = field(default_factory=list)
    sent_twice: Counter[str] = field(default_factory=Counter)
    """Submissions that were sent a second time on purpose, by door."""
    recognised: Counter[str] = field(default_factory=Counter)
    """Those of them that were answered as known, by door."""
    waiting: dict[str, datetime] = field(default_factory=dict)
    """Referrals whose resident was not reached, with the time of the next call (domain time)."""
    reached: set[str] = field(default_factory=set)
    """Referrals whose resident was spoken to."""
    exhausted: set[str] = field(default_factory=set)
    """Referrals whose ladder of calls came to its end."""
    allergies: set[str] = field(default_factory=set)
    """Referrals whose resident rang about a new allergy."""
    told: defaultdict[str, Told] = field(default_factory=lambda: defaultdict(Told))
    """What was told of each referral of the inbound topic, by its id."""
    imports: list[str] = field(default_factory=list)
    """The uploads that intake took."""
    done: Counter[str] = field(default_factory=Counter)
    """What the people did: calls, tasks, parcels, decisions."""
    erasures: dict[tuple[str, str], Erasure] = field(default_factory=dict)
    """Who asks to be erased, by source and reference."""
    _hashed: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Submissions by the hash that names a reference which looks like somebody's number."""

    def enter(self, residents: Iterable[Resident], erasing: Mapping[int, Moment] = _NOBODY) -> None:
        """Write down everyone who will ask for help; and of them, by number, who will ask to be erased."""
        for resident in residents:
            reference = f"{self.run}-{resident.number:06d}"
            submission = Submission(resident, resident.system.name, reference)
            self.submissions[submission.source, reference] = submission
            self._hashed[submission.source, hashed(submission.source, reference)] = (
                submission.source,
                reference,
            )
            if resident.number in erasing:
                self.erasures[submission.source, reference] = Erasure(erasing[resident.number])

    @property
    def met(self) -> list[Erasure]:
        """The requests to be erased that all five services have met."""
        return [erasure for erasure in self.erasures.values() if erasure.is_done]

    @property
    def erased(self) -> dict[str, tuple[str, str]]:
        """The referrals whose resident asked to be erased, with source and reference."""
        return {erasure.referral_id: key for key, erasure in self.erasures.items() if erasure.referral_id}

    def through(self, door: Door) -> list[Submission]:
        """The submissions of one door, in order."""
        return [s for s in self.submissions.values() if s.door is door]

    def key_of(self, source: str, shown: str | None, referral_id: str = "") -> tuple[str, str] | None:
        """Source and reference of a submission, as answers name it; None where it is not one of this run's."""
        if known := self.by_referral.get(referral_id):
            return known.source, known.reference
        key = (source, shown or "")
        return key if key in self.submissions else self._hashed.get(key)

    def learn(self, source: str, reference: str | None, referral_id: str) -> Submission | None:
        """Remember which referral answers a submission; None where it is not one of this run's."""
        key = self.key_of(source, reference, referral_id)
        submission = self.submissions.get(key) if key else None
        if submission is not None:
            submission.referral_id = referral_id
            self.by_referral[referral_id] = submission
        return submission

    def progress(self) -> tuple[int, ...]:
        """Figures that grow with what is done for good. None of them grows for ever, as attempts may."""
        return (
            self.acknowledged,
            len(self.by_referral),
            len(self.reached),
            len(self.exhausted),
            *(self.done[what] for what in _DONE_FOR_GOOD),
        )

    @property
    def acknowledged(self) -> int:
        """How many submissions their doors have taken."""
        return sum(s.acknowledged for s in self.submissions.values())
