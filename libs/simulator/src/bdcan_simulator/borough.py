"""The residents of a fictitious borough in March 2020: who asks for help, through which door, and what the call finds.

The same seed makes the same people, whatever the machine. Shares come from published figures of 2020: about 12 % cannot
be reached, about 30 % turn out to need something more, one in four of the national list has an unusable number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from random import Random

from bdcan_contracts.models import Household, Priority
from bdcan_contracts.vocabulary import Channel, Diet, Flag, NeedCode
from bdcan_simulator import names
from bdcan_simulator.postcodes import UNUSABLE, PostcodeSource, as_written

N = NeedCode


class Door(StrEnum):
    """The three ways in."""

    HTTP = "http"
    CSV = "csv"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True)
class System:
    """An upstream system: its name (its `source`), the door that it uses, and how people reach it."""

    name: str
    door: Door
    channels: tuple[Channel, ...]
    outreach: bool = False


PHONE_DESK = System("phone-desk", Door.HTTP, (Channel.PHONE, Channel.PHONE, Channel.WEB, Channel.EMAIL))
SCHOOLS = System("simulator", Door.HTTP, (Channel.PARTNER,))
"""Machines that authenticate with the simulator's API key; its first source is this name."""
SURGERY = System("riverside-surgery", Door.TOPIC, (Channel.GP,))
PHARMACY = System("heath-pharmacy", Door.TOPIC, (Channel.PHARMACY,))
FAITH_FORUM = System("faith-forum", Door.TOPIC, (Channel.PARTNER,))
NHS_LIST = System("nhs-shielding-list", Door.CSV, (Channel.NHS_LIST,))
OUTREACH_DESK = System("outreach-desk", Door.CSV, (Channel.OUTREACH,), outreach=True)

SYSTEMS = {
    PHONE_DESK: 0.25, SCHOOLS: 0.05, SURGERY: 0.10, PHARMACY: 0.10, FAITH_FORUM: 0.10, NHS_LIST: 0.25, OUTREACH_DESK: 0.15,
}  # fmt: skip
"""Upstream systems with the share of referrals that each sends."""


class Reach(StrEnum):
    """What happens when somebody rings."""

    ANSWERS = "answers"
    RING_BACK = "ring-back"
    """Answers, but it is no good time: asks to be rung again in twenty minutes."""
    NEVER = "never"
    WRONG_NUMBER = "wrong-number"
    """The number is somebody else's, or there is none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the resident says on the telephone."""

    reach: Reach
    wants_no_help: bool
    """Refuses the call as a whole."""
    declined: frozenset[NeedCode]
    """Needs that have passed."""
    changed: tuple[tuple[NeedCode, NeedCode], ...]
    """Needs that turn out to be other needs."""
    found: tuple[NeedCode, ...]
    """Needs that only the call brings to light."""


@dataclass(frozen=True, slots=True)
class Resident:
    """One person who asks for help, or for whom somebody asks. Nothing here is about anybody real."""

    number: int
    system: System
    channel: Channel
    name: str | None
    phone: str | None
    email: str | None
    birth_date: date | None
    nhs_number: str | None
    address: str | None
    postcode: str | None
    lives_here: bool
    """Whether the home is in the borough, which the postcode may not tell."""
    household: Household | None
    needs: tuple[NeedCode, ...]
    diets: tuple[Diet, ...]
    flags: tuple[Flag, ...]
    priority: Priority | None
    notes: str | None
    consent: bool | None
    answers: Answers

    @property
    def reachable(self) -> bool:
        """Whether a call will get through in the end."""
        return self.answers.reach in {Reach.ANSWERS, Reach.RING_BACK}


@dataclass(frozen=True, slots=True)
class Borough:
    """All residents of one seed; each is made from the seed and a number alone, so any of them can be made again."""

    seed: int
    postcodes: PostcodeSource

    def residents(self, count: int) -> Iterator[Resident]:
        """The first `count` residents."""
        return (self.resident(number) for number in range(count))

    def resident(self, number: int) -> Resident:
        """The resident with a number."""
        random = Random(f"{self.seed}/resident/{number}")  # noqa: S311 # a play, no secret
        system = random.choices(tuple(SYSTEMS), weights=tuple(SYSTEMS.values()))[0]
        channel = random.choice(system.channels)
        needs = _needs(random, channel)
        household = _household(random, needs)
        postcode, lives_here = self._home(random)
        reach = _reach(random)
        has_phone = reach is not Reach.WRONG_NUMBER or random.random() < 0.6
        name = names.full_name(random)
        flags = _flags(random, channel, household, has_phone=has_phone, has_postcode=postcode is not None)
        return Resident(
            number=number,
            system=system,
            channel=channel,
            name=name if random.random() < 0.98 else None,
            phone=names.phone(random) if has_phone else None,
            email=names.email(name, number) if random.random() < 0.3 else None,
            birth_date=names.birth_date(random, *_ages(channel)) if random.random() < 0.7 else None,
            nhs_number=names.nhs_number(random) if _knows_nhs_number(channel) else None,
            address=names.address(random, (postcode or "").split(" ")[0]) if random.random() < 0.9 else None,
            postcode=postcode,
            lives_here=lives_here,
            household=household if random.random() < 0.85 else None,
            needs=needs,
            diets=_diets(random, needs),
            flags=flags,
            priority=_priority(random, needs),
            notes=random.choice(_NOTES) if random.random() < 0.2 else None,
            consent=random.choices((True, False, None), weights=(70, 3, 27))[0],
            answers=_answers(random, needs, reach),
        )

    def _home(self, random: Random) -> tuple[str | None, bool]:
        choice = random.random()
        if choice < 0.88:
            return as_written(random, self.postcodes.inside(random)), True
        if choice < 0.94:
            return as_written(random, self.postcodes.outside(random)), False
        if choice < 0.98:
            return None, random.random() < 0.9
        return random.choice(UNUSABLE), random.random() < 0.9


_WANTS: dict[tuple[NeedCode, ...], int] = {
    (N.FOOD_PARCEL,): 26,
    (N.FOOD_PARCEL, N.PRESCRIPTION): 6,
    (N.FOOD_PARCEL, N.BEFRIENDING_CALL): 5,
    (N.FOOD_PARCEL, N.HYGIENE_SUPPLIES): 5,
    (N.FOOD_PARCEL, N.BABY_SUPPLIES): 5,
    (N.FOOD_PARCEL, N.HARDSHIP_PAYMENT): 3,
    (N.BABY_SUPPLIES,): 2,
    (N.SHOPPING,): 12,
    (N.SHOPPING, N.PRESCRIPTION): 6,
    (N.PRESCRIPTION,): 6,
    (N.BEFRIENDING_CALL,): 7,
    (N.TRANSPORT,): 2,
    (N.ERRAND,): 2,
    (N.DEBT, N.BENEFITS): 2,
    (N.BENEFITS,): 2,
    (N.HOUSING,): 2,
    (N.HOMELESSNESS, N.FOOD_PARCEL): 1,
    (N.MENTAL_WELLBEING,): 2,
    (N.SOCIAL_CARE,): 1,
    (N.WORK_SKILLS,): 1,
    (N.SAFEGUARDING_ADULT,): 1,
    (N.DOMESTIC_ABUSE, N.HOUSING): 1,
    (N.SAFEGUARDING_CHILD, N.FOOD_PARCEL): 1,
}
_ELSEWHERE = {N.SHIELDING_SUPPORT, N.LEAFLETTING}
"""An NHS list asks for the one; no resident asks for the other."""

_NEW_WORDS = set(N) - _ELSEWHERE - {need for needs in _WANTS for need in needs}
_WANTS |= {(need,): 2 for need in sorted(_NEW_WORDS)}  # a word that is new in the vocabulary is played, too
_WANTS_BY_CHANNEL: dict[Channel, dict[tuple[NeedCode, ...], int]] = {
    Channel.PHARMACY: {(N.PRESCRIPTION,): 85, (N.PRESCRIPTION, N.SHOPPING): 15},
    Channel.NHS_LIST: {
        (N.FOOD_PARCEL,): 30,
        (N.FOOD_PARCEL, N.PRESCRIPTION): 15,
        (N.SHOPPING, N.PRESCRIPTION): 15,
        (N.SHOPPING,): 15,
        (N.SHIELDING_SUPPORT,): 10,
        (N.SHIELDING_SUPPORT, N.FOOD_PARCEL): 10,
        (): 5,  # a list gives names; what they need, the call finds
    },
}
_MORE = {
    N.BEFRIENDING_CALL: 24, N.FOOD_PARCEL: 20, N.SHOPPING: 12, N.PRESCRIPTION: 12, N.HYGIENE_SUPPLIES: 6, N.ERRAND: 5,
    N.BENEFITS: 6, N.DEBT: 5, N.HARDSHIP_PAYMENT: 4, N.MENTAL_WELLBEING: 4, N.SAFEGUARDING_ADULT: 2,
}  # fmt: skip
_INSTEAD = {N.FOOD_PARCEL: N.SHOPPING, N.SHOPPING: N.FOOD_PARCEL, N.TRANSPORT: N.ERRAND, N.DEBT: N.BENEFITS}
_SAFEGUARDING = {N.SAFEGUARDING_ADULT, N.SAFEGUARDING_CHILD, N.DOMESTIC_ABUSE}
_FOOD = {N.FOOD_PARCEL, N.BABY_SUPPLIES, N.HYGIENE_SUPPLIES}
_NOTES = (
    "Rings the bell twice and waits, walks with a frame.", "Daughter usually shops for her but is isolating.",
    "Hard of hearing, please speak slowly.", "Second floor, the lift is out of order.", "Prefers a call in the morning.",
    "Just lost work in catering.", "Has a small dog.", "Speaks Romanian at home, some English.",
)  # fmt: skip
_DIETS = {
    (): 650, (Diet.HALAL,): 150, (Diet.VEGETARIAN,): 50, (Diet.DIABETIC,): 50, (Diet.NUT_ALLERGY,): 25,
    (Diet.DAIRY_FREE,): 15, (Diet.GLUTEN_FREE,): 15, (Diet.VEGAN,): 10, (Diet.PESCATARIAN,): 5, (Diet.KOSHER,): 3,
    (Diet.SEAFOOD_ALLERGY,): 7, (Diet.NO_COOKING_FACILITIES,): 10, (Diet.HALAL, Diet.NUT_ALLERGY): 10,
}  # fmt: skip
_SIZES = {1: 32, 2: 26, 3: 16, 4: 13, 5: 7, 6: 3, 7: 1, 8: 1, 9: 0.5, 10: 0.5}


def _needs(random: Random, channel: Channel) -> tuple[NeedCode, ...]:
    wants = _WANTS_BY_CHANNEL.get(channel, _WANTS)
    return random.choices(tuple(wants), weights=tuple(wants.values()))[0]


def _household(random: Random, needs: tuple[NeedCode, ...]) -> Household:
    size = random.choices(tuple(_SIZES), weights=tuple(_SIZES.values()))[0]
    infants = 1 if N.BABY_SUPPLIES in needs else 0
    size = max(size, 1 + infants)
    children = random.randrange(size - infants) if size >= 3 else 0
    return Household(adults=size - infants - children, children=children, infants=infants)


def _diets(random: Random, needs: tuple[NeedCode, ...]) -> tuple[Diet, ...]:
    if not _FOOD.intersection(needs):
        return ()
    return random.choices(tuple(_DIETS), weights=tuple(_DIETS.values()))[0]


def _flags(
    random: Random, channel: Channel, household: Household, *, has_phone: bool, has_postcode: bool
) -> tuple[Flag, ...]:
    alone = household.adults + household.children + household.infants == 1
    chosen = {
        Flag.SHIELDING: channel == Channel.NHS_LIST or random.random() < 0.08,
        Flag.NO_PHONE: not has_phone,
        Flag.NO_POSTCODE: not has_postcode and random.random() < 0.5,
        Flag.LIVES_ALONE: alone and random.random() < 0.8,
        Flag.INTERPRETER_NEEDED: random.random() < 0.06,
    }
    return tuple(flag for flag, holds in chosen.items() if holds)


def _priority(random: Random, needs: tuple[NeedCode, ...]) -> Priority | None:
    if _SAFEGUARDING.intersection(needs) or N.HOMELESSNESS in needs:
        return Priority.URGENT
    return random.choices((None, Priority.URGENT, Priority.STANDARD, Priority.ROUTINE), (55, 8, 27, 10))[0]


def _ages(channel: Channel) -> tuple[int, int]:
    return (55, 96) if channel in {Channel.NHS_LIST, Channel.PHARMACY} else (19, 92)


def _knows_nhs_number(channel: Channel) -> bool:
    return channel in {Channel.NHS_LIST, Channel.GP, Channel.PHARMACY}


def _reach(random: Random) -> Reach:
    return random.choices(
        (Reach.ANSWERS, Reach.RING_BACK, Reach.NEVER, Reach.WRONG_NUMBER), weights=(84, 4, 8, 4)
    )[0]


def _answers(random: Random, needs: tuple[NeedCode, ...], reach: Reach) -> Answers:
    declined = frozenset(code for code in needs if code not in _SAFEGUARDING and random.random() < 0.06)
    changed = tuple(
        (code, _INSTEAD[code])
        for code in needs
        if code in _INSTEAD
        and code not in declined
        and _INSTEAD[code] not in needs
        and random.random() < 0.04
    )
    known = {*needs, *dict(changed).values()}
    more = {code: weight for code, weight in _MORE.items() if code not in known}
    finds = not needs or random.random() < 0.30
    return Answers(
        reach=reach,
        wants_no_help=bool(needs) and not _SAFEGUARDING.intersection(needs) and random.random() < 0.015,
        declined=declined,
        changed=changed,
        found=tuple(random.choices(tuple(more), weights=tuple(more.values()))) if finds else (),
    )
