"""What the simulator sent and what it was told: the measure against which the system is judged at the end."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bdcan_simulator.borough import Door, Resident

_DONE_FOR_GOOD = ("volunteers active", "triage decisions", "tasks completion", "parcels packed")


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

    def enter(self, residents: Iterable[Resident]) -> None:
        """Write down everyone who will ask for help."""
        for resident in residents:
            reference = f"{self.run}-{resident.number:06d}"
            submission = Submission(resident, resident.system.name, reference)
            self.submissions[submission.source, reference] = submission

    def through(self, door: Door) -> list[Submission]:
        """The submissions of one door, in order."""
        return [s for s in self.submissions.values() if s.door is door]

    def learn(self, source: str, reference: str, referral_id: str) -> Submission | None:
        """Remember which referral answers a submission; None where it is not one of this run's."""
        submission = self.submissions.get((source, reference))
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
