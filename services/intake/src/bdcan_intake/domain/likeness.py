"""Whether two referrals may be about the same person, or about two people of one household.

Both referrals are kept: only a person can tell. The rules look for what a clerk would look for. Names are compared without
case, accents, titles and order. A home is a postcode with the numbers of the address, so that "10 Heath Rd" is "10 Heath Road".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.inbound.submission import Person
from bdcan_contracts.models import ReferralLinked
from bdcan_contracts.typed import Postcode, read_postcode
from bdcan_intake.domain.referral import Referral, ReferralState
from bdcan_intake.domain.submission import Resident

MOST_EARLIER = 10
"""How many closed referrals of a person a new one names, the newest first."""

MOST_LINKS = 20
"""How many links a referral keeps, the oldest first. A hostel may have more residents than that."""

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "rev", "sir", "dame", "lady"})
_WORD = re.compile(r"\w+")


class Likeness(StrEnum):
    """How two people may belong together."""

    PERSON = "person"
    HOUSEHOLD = "household"


def alike(one: Person, other: Person) -> Likeness | None:
    """How two people may belong together; None where nothing says so."""
    names, others = _name(one), _name(other)
    home, other_home = _home(one), _home(other)
    same_home = home is not None and home == other_home
    same_phone = one.phone_e164 is not None and one.phone_e164 == other.phone_e164
    same_postcode = _postcode(one) is not None and _postcode(one) == _postcode(other)
    number = _nhs_number(one)
    if number and number == _nhs_number(other):
        return Likeness.PERSON
    if (
        _same_name(names, others)
        and not _differ(number, _nhs_number(other))
        and not _born_apart(one.birth_date, other.birth_date)
        and (same_phone or same_home or same_postcode or (one.birth_date and other.birth_date))
    ):
        return Likeness.PERSON
    neighbours = _differ(home, other_home)
    same_surname = bool(names and others and names[-1] == others[-1])
    if same_home or same_phone or (same_postcode and same_surname and not neighbours):
        return Likeness.HOUSEHOLD
    return None


def follow_earlier(
    referral: Referral, resident: Resident, before: Iterable[Resident]
) -> Step[Referral] | None:
    """Name the closed referrals of a person who needs help again. They were opened before; None: nothing changes."""
    earlier = (
        one.referral_id
        for one in before
        if one.referral_id < referral.referral_id and alike(resident, one) is Likeness.PERSON
    )
    found = tuple(sorted(earlier, reverse=True)[:MOST_EARLIER])
    if found == referral.earlier_referral_ids or (not found and referral.state is ReferralState.CLOSED):
        return None
    return Step(replace(referral, earlier_referral_ids=found))


def keys(person: Person) -> tuple[str, ...]:
    """What the index looks people up by. Two people who are alike share one of these."""
    found = [f"home {home}"] if (home := _home(person)) else []
    if person.phone_e164:
        found.append(f"phone {person.phone_e164}")
    if number := _nhs_number(person):
        found.append(f"nhs {number}")
    name, postcode = _name(person), _postcode(person)
    for part in sorted(set(name)):
        if postcode:
            found.append(f"name {part} {postcode}")
        if person.birth_date:
            born = "".join(sorted(person.birth_date.isoformat()))
            found.append(f"born {part} {born}")
    return tuple(found)


def link(referral: Referral, found: Mapping[UUID, Likeness], now: datetime) -> Step[Referral] | None:
    """The referral with these links; None if it has them already."""
    people = _first(i for i, likeness in found.items() if likeness is Likeness.PERSON)
    homes = _first(i for i, likeness in found.items() if likeness is Likeness.HOUSEHOLD)
    if (people, homes) == (referral.same_person_ids, referral.same_household_ids):
        return None
    told = ReferralLinked(
        referral_id=referral.referral_id, same_person_ids=people, same_household_ids=homes, linked_at=now
    )
    return Step(replace(referral, same_person_ids=people, same_household_ids=homes), (told,))


def relink(
    referral: Referral, other_id: UUID, likeness: Likeness | None, now: datetime
) -> Step[Referral] | None:
    """The referral with one link set, changed or (None) taken away."""
    found = dict.fromkeys(referral.same_household_ids, Likeness.HOUSEHOLD)
    found |= dict.fromkeys(referral.same_person_ids, Likeness.PERSON)
    found.pop(other_id, None)
    return link(referral, found | ({other_id: likeness} if likeness else {}), now)


def compared(resident: Resident) -> Step[Resident]:
    """The resident has been compared with all others, and can be found by those who come later."""
    return Step(replace(resident, compared=True, likeness_keys=keys(resident)))


def _first(ids: Iterable[UUID]) -> tuple[UUID, ...]:
    return tuple(sorted(ids)[:MOST_LINKS])  # ids sort by the time of their making


def _words(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKD", text or "").casefold().replace("'", "").replace("\u2019", "")
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def _name(person: Person) -> tuple[str, ...]:
    """The words of a name in order, the surname last: "Example, Amina" is "Amina Example"."""
    last, comma, first = (person.name or "").partition(",")
    words = _words(f"{first} {last}" if comma else last)
    return tuple(word for word in words if word not in _TITLES)


def _same_name(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether all words of the shorter name are in the longer one; an initial stands for a name."""
    if min(len(one), len(other)) < 2:  # one word is too little to tell a person by
        return False
    short, long = sorted((one, other), key=len)
    left = list(long)
    for word in sorted(short, key=len, reverse=True):
        match = next((w for w in left if w == word or (1 in {len(w), len(word)} and w[0] == word[0])), None)
        if match is None:
            return False
        left.remove(match)
    return any(len(word) > 1 and word in long for word in short)


def _born_apart(one: date | None, other: date | None) -> bool:
    """Whether two dates of birth differ, other than by day and month in the wrong order."""
    if one is None or other is None or one == other:
        return False
    return (one.year, one.month, one.day) != (other.year, other.day, other.month)


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _nhs_number(person: Person) -> str | None:
    digits = "".join(c for c in person.nhs_number or "" if c.isdecimal())
    return digits or None


def _postcode(person: Person) -> str | None:
    read = read_postcode(person.postcode)
    return str(read) if isinstance(read, Postcode) else None


def _home(person: Person) -> str | None:
    """The home as a key; None where the postcode or the number of the house is not known."""
    postcode = _postcode(person)
    if postcode is None or person.address is None:
        return None
    outward, inward = (part.casefold() for part in postcode.split())
    words = [w for w in _words(person.address) if w not in {outward, inward, outward + inward}]
    numbers = sorted(w for w in words if any(c.isdigit() for c in w) or len(w) == 1)
    return f"{postcode} {' '.join(numbers)}" if numbers else None
