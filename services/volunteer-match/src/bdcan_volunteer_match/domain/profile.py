"""What a volunteer says about themselves: where they are, how they get about, when they have time, and what to respect.

It says for which tasks somebody is a good choice. What they may do at all is agreed with a hub (`Part` in `volunteer`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, time

from langcodes import Language
from langcodes.tag_parser import LanguageTagError
from msgspec import Struct

from bdcan_contracts.envelope import Problem
from bdcan_contracts.typed import Fragment, read_postcode
from bdcan_contracts.vocabulary import Caution, Travel
from bdcan_volunteer_match.domain.errors import ProfileError

LEAST_RADIUS_M = 100
MOST_RADIUS_M = 30_000
"""In metres: the length of the borough is 11 km, and some volunteers live outside."""

MOST_WEEKLY_OFFERS = 50

USUAL_WEEKLY_OFFERS = 7
"""Offers that somebody gets in seven days at most, unless they say otherwise: one a day."""


class Slot(Struct, frozen=True, order=True):
    """Time that a volunteer has every week: on `weekday` (1 is Monday, 7 is Sunday), in local time, `ends` excluded."""

    weekday: int
    begins: time
    ends: time


class Profile(Struct, frozen=True):
    """What a volunteer says about themselves now. None: it stays as it was; an empty text or list takes it back.

    `radius_m`: metres from home. `languages`: ISO 639 codes, such as `bn`. `weekly_offers`: in any seven days.
    """

    postcode: str | None = None
    travels: str | None = None
    has_car: bool | None = None
    radius_m: int | None = None
    languages: tuple[str, ...] | None = None
    availability: tuple[Slot, ...] | None = None
    weekly_offers: int | None = None
    cautions: tuple[str, ...] | None = None

    @property
    def sector(self) -> str | None:
        """The sector of the postcode, such as `RM10 8`; empty where the postcode is taken back, None where it stays."""
        if self.postcode is None:
            return None
        read = read_postcode(self.postcode)
        return "" if read is None or isinstance(read, Fragment) else read.sector


def checked(profile: Profile) -> Profile:
    """The profile with its languages and slots in order. Raises ProfileError, which names every field at fault."""
    problems = list(_problems(profile))
    if problems:
        raise ProfileError(problems)
    return Profile(
        postcode=None if profile.postcode is None else str(read_postcode(profile.postcode) or ""),
        travels=profile.travels,
        has_car=profile.has_car,
        radius_m=profile.radius_m,
        languages=None
        if profile.languages is None
        else tuple(dict.fromkeys(code for one in profile.languages if (code := language(one)))),
        availability=None if profile.availability is None else tuple(sorted(profile.availability)),
        weekly_offers=profile.weekly_offers,
        cautions=None if profile.cautions is None else tuple(sorted(set(profile.cautions))),
    )


def language(typed: str) -> str | None:
    """The ISO 639 code of a language tag, such as `bn` for `ben` or `bn-GB`; None where no language has it."""
    try:
        found = Language.get(typed.strip())
    except LanguageTagError:
        return None
    return found.language if found.is_valid() and found.language != "und" else None


def has_time(availability: Collection[Slot], local: datetime) -> bool:
    """Whether somebody has time at a local time. No slot at all: any time is good."""
    weekday, at = local.isoweekday(), local.time()
    return not availability or any(s.weekday == weekday and s.begins <= at < s.ends for s in availability)


def _problems(profile: Profile) -> Iterator[Problem]:
    if isinstance(read_postcode(profile.postcode), Fragment):
        yield Problem("postcode", "invalid", "is no whole postcode: write it as RM10 8XX")
    if profile.travels is not None and profile.travels not in (*Travel, ""):
        yield Problem("travels", "unknown", f"is one of {', '.join(Travel)}")
    if profile.has_car is not None and profile.travels and profile.has_car != (profile.travels == Travel.CAR):
        yield Problem("has_car", "contradicts", "contradicts `travels`: leave one of the two out")
    if profile.radius_m is not None and not LEAST_RADIUS_M <= profile.radius_m <= MOST_RADIUS_M:
        yield Problem(
            "radius_m",
            "out-of-range",
            f"is in metres, from {LEAST_RADIUS_M} to {MOST_RADIUS_M}. Leave it out for somebody who says no limit; "
            "for somebody who stays at home, choose kinds of task that need no way, such as befriending-call",
        )
    if profile.weekly_offers is not None:
        if profile.weekly_offers == 0:
            yield Problem("weekly_offers", "none", "is 0: for somebody who wants no offers, record a pause")
        elif not 0 < profile.weekly_offers <= MOST_WEEKLY_OFFERS:
            yield Problem("weekly_offers", "out-of-range", f"is from 1 to {MOST_WEEKLY_OFFERS}")
    for place, code in enumerate(profile.languages or ()):
        if language(code) is None:
            yield Problem(
                f"languages.{place}", "unknown", "is no language: write its ISO 639 code, such as bn"
            )
    for place, code in enumerate(profile.cautions or ()):
        if code not in (*Caution,):
            yield Problem(f"cautions.{place}", "unknown", f"is one of {', '.join(Caution)}")
    yield from _problems_of_slots(profile.availability or ())


def _problems_of_slots(slots: Sequence[Slot]) -> Iterator[Problem]:
    for place, slot in enumerate(slots):
        field = f"availability.{place}"
        if not 1 <= slot.weekday <= 7:  # the days of a week
            yield Problem(f"{field}.weekday", "out-of-range", "is from 1 (Monday) to 7 (Sunday)")
        if slot.ends <= slot.begins:
            yield Problem(
                f"{field}.ends",
                "not-after",
                "must be later than `begins`: write a night as two slots, one on each day",
            )
        elif any(_overlap(slot, earlier) for earlier in slots[:place]):
            yield Problem(field, "overlaps", "overlaps another slot of that day: write them as one")


def _overlap(one: Slot, other: Slot) -> bool:
    return one.weekday == other.weekday and one.begins < other.ends and other.begins < one.ends
