"""A request for help as it is handed in, whichever door it comes through, and the few reasons to refuse one.

An incomplete form is no reason, and neither is a detail that nobody can read: intake keeps it as typed, and flags it. Intake
refuses only what names neither a person nor a need.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import Household, Priority
from bdcan_contracts.typed import Postcode, free_text, one_line, read_phone, read_postcode
from bdcan_contracts.vocabulary import Flag

OLDEST = timedelta(days=130 * 366)
"""Nobody has lived longer: an earlier date of birth is a slip."""

_SENT_POSTCODE_CHARACTERS = 12
"""What an event's `postcode` holds at most: anything longer is no postcode, and may be an address."""

DERIVED = frozenset({Flag.NO_PHONE, Flag.NO_POSTCODE, Flag.DETAILS_UNCLEAR})
"""Flags that say what a person's details lack."""

_STOPS_CALLS = frozenset({Flag.NO_CONSENT, Flag.DECEASED})

_DIED = re.compile(
    r"\b(?:deceased|dec'd|passed away|(?-i:R\.?I\.?P)(?!\w)|(?:has|have|had|sadly) (?:sadly )?died"
    r"|(?:s?he|they|patient|resident|client|customer|tenant) (?:died|is dead))|^\W*died\b",
    re.IGNORECASE,
)
_RELATIVES = (
    "husband|wife|partner|spouse|mother|father|mum|mom|dad|son|daughter|sister|brother|friend|neighbour|neighbor"
    "|parents?|child|baby|nan|grandmother|grandfather|uncle|aunt|cousin|carer|dog|cat|relative|family"
)
_OF_RELATIVE = re.compile(
    rf"\b(?:{_RELATIVES})\W+(?:(?:has|have|had|who|is|was|sadly|recently|just)\W+)*$", re.IGNORECASE
)
_RELATIVE_AFTER = re.compile(rf"\W+(?:{_RELATIVES})\b", re.IGNORECASE)


class Person(Struct, frozen=True):
    """Who needs help, as far as anybody knows. All of it is personal data."""

    name: str | None = None
    phone: str | None = None
    phone_e164: str | None = None
    """The number that `phone` names, in the form that is dialled; `tidy_person` reads it."""
    email: str | None = None
    birth_date: date | None = None
    nhs_number: str | None = None
    address: str | None = None
    postcode: str | None = None
    unclear: dict[str, str] = {}
    """What could not be read, as it was typed, by the name of its field."""

    @property
    def known(self) -> bool:
        """Whether anything at all is said about the person."""
        return bool(
            self.name
            or self.phone
            or self.email
            or self.birth_date
            or self.nhs_number
            or self.address
            or self.postcode
            or "birth_date" in self.unclear
        )

    @property
    def sent_postcode(self) -> str | None:
        """The postcode as events carry it."""
        if self.postcode is None or len(self.postcode) > _SENT_POSTCODE_CHARACTERS:
            return None
        return self.postcode


P = TypeVar("P", bound=Person)


class Submission(Struct, frozen=True):
    """One request for help. `source` and `reference` together are its identity for the sender."""

    source: str
    reference: str | None
    channel: str
    person: Person = Person()
    household: Household | None = None
    needs: tuple[str, ...] = ()
    diets: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    priority: Priority | None = None
    notes: str | None = None
    outreach: bool = False
    consent: bool | None = None
    import_id: UUID | None = None


def with_unclear(submission: Submission, unclear: dict[str, str]) -> Submission:
    """The submission with more details that could not be read, as they were typed, by the name of their field."""
    person = submission.person
    return replace(submission, person=replace(person, unclear={**person.unclear, **unclear}))


def tidy(submission: Submission, today: date) -> Submission:
    """The submission as it is kept, whichever door it came through: text normalised, each code once, flags derived."""
    person = tidy_person(submission.person, today)
    household = submission.household
    if household is not None and household.adults + household.children + household.infants == 0:
        household = None
    return replace(
        submission,
        reference=one_line(submission.reference),
        person=person,
        household=household,
        needs=tuple(dict.fromkeys(submission.needs)),
        diets=tuple(dict.fromkeys(submission.diets)),
        flags=flags_for(
            person,
            submission.flags,
            submission.consent,
            deceased=says_deceased(person.name, person.phone, person.address, submission.notes),
        ),
        notes=free_text(submission.notes),
    )


def tidy_person(person: P, today: date) -> P:
    """The person with all text normalised, the postcode in its usual form, and the number to dial.

    A date on which nobody who lives was born is unclear.
    """
    phone, postcode = read_phone(person.phone), read_postcode(person.postcode)
    born, unclear = person.birth_date, person.unclear
    if born is not None and not today - OLDEST <= born <= today:
        born, unclear = None, {**unclear, "birth_date": born.isoformat()}
    return replace(
        person,
        name=one_line(person.name),
        phone=phone and phone.typed,
        phone_e164=phone and phone.e164,
        email=one_line(person.email),
        birth_date=born,
        nhs_number=one_line(person.nhs_number),
        address=free_text(person.address),
        postcode=str(postcode) if postcode else None,
        unclear=unclear,
    )


def flags_for(
    person: Person, given: Iterable[str], consent: bool | None, *, deceased: bool = False
) -> tuple[str, ...]:
    """What the sender flagged, and what follows from a tidy person, the consent, and a word that the resident died.

    The flags that stop every call come first.
    """
    flags = [flag for flag in dict.fromkeys(given) if flag not in DERIVED]
    if consent is not None and Flag.NO_CONSENT in flags:
        flags.remove(Flag.NO_CONSENT)
    if consent is False:
        flags.insert(0, Flag.NO_CONSENT)
    if deceased and Flag.DECEASED not in flags:
        flags.insert(0, Flag.DECEASED)
    if person.phone_e164 is None:
        flags.append(Flag.NO_PHONE)
    if not isinstance(read_postcode(person.postcode), Postcode):
        flags.append(Flag.NO_POSTCODE)
    if person.unclear:
        flags.append(Flag.DETAILS_UNCLEAR)
    return tuple(sorted(flags, key=_STOPS_CALLS.__contains__, reverse=True))


def says_deceased(*texts: object) -> bool:
    """Whether one of the texts says that the resident died. A relative's death does not count."""
    return any(
        not _OF_RELATIVE.search(text[max(0, found.start() - 40) : found.start()])
        and not _RELATIVE_AFTER.match(text[found.end() :])
        for text in texts
        if isinstance(text, str)
        for found in _DIED.finditer(text)
    )


def problems(submission: Submission) -> tuple[Problem, ...]:
    """Everything that makes a tidied submission impossible to take on; empty for almost all."""
    if submission.person.known or submission.needs or submission.notes:
        return ()
    return NOBODY_AND_NOTHING


NOBODY_AND_NOTHING = (
    Problem("person", "nobody-named", "neither a person nor a need is named"),
    Problem("needs", "nothing-needed", "neither a person nor a need is named"),
)
"""A submission that nobody could act on."""


class Examined(NamedTuple):
    """A submission, tidied, with what makes it impossible to take on, and what it says as a hash."""

    submission: Submission
    problems: tuple[Problem, ...]
    content_hash: bytes


def examine(submission: Submission, today: date) -> Examined:
    """Tidy a submission and look for what is impossible."""
    tidied = tidy(submission, today)
    digest = content_hash(tidied)
    if tidied.import_id is not None and tidied.reference is None:
        # a list without references can still be handed in twice: the content of a row is then its reference
        tidied = replace(tidied, reference=f"row-{digest.hex()[:40]}")
    return Examined(tidied, problems(tidied), digest)


def content_hash(submission: Submission) -> bytes:
    """Tells whether two submissions say the same. Who sent them, and through which door, does not count."""
    person, household = submission.person, submission.household
    said = repr(
        [
            str(submission.channel),
            person.name,
            person.phone,
            person.email,
            person.birth_date and person.birth_date.isoformat(),
            person.nhs_number,
            person.address,
            person.postcode,
            household and [household.adults, household.children, household.infants],
            sorted(map(str, submission.needs)),
            sorted(map(str, submission.diets)),
            sorted(map(str, submission.flags)),
            submission.priority and str(submission.priority),
            submission.notes,
            submission.consent,
            *sorted(person.unclear.items()),
        ]
    )
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()
