"""From a postcode to its ward, or to how likely each ward is.

What is known about a batch of postcodes comes as a `Lookup`: rows of the exact table, and for prefixes (sector
and letter, sector, outcode) how many of their postcodes lie in which place. A place is a ward of the borough, or the
district where it lies outside. A guess by neighbours (`neighbours`) brings its own confidence. By a prefix it is n / (N + 1),
where n of the N postcodes of the prefix lie in the likeliest place: a handful of postcodes never makes certain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from bdcan_contracts.models import AssignmentMethod, Ward
from bdcan_contracts.typed import Fragment, GivenPostcode, Postcode
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.districts import in_district, what_to_suggest
from bdcan_routing.domain.neighbours import Guess
from bdcan_routing.domain.wards import BOROUGH, WARDS, ward_name


class Unit(Struct, frozen=True):
    """One row of a postcode table. `ward` is None outside the borough, or where the table does not say."""

    district: str
    ward: str | None


class Places(Struct, frozen=True):
    """Where the postcodes of one prefix lie. `wards`: the borough's among the places, the likeliest first."""

    wards: tuple[str, ...]
    districts: tuple[str, ...]
    postcodes: Mapping[str, int]
    total: int
    outside: int

    @staticmethod
    def of(postcodes: Mapping[str, int]) -> Places:
        """`postcodes`: how many of them lie in each place."""
        by_share = sorted(postcodes, key=lambda place: (-postcodes[place], place))
        wards = tuple(place for place in by_share if place in WARDS)
        total = sum(postcodes.values())
        return Places(
            wards,
            tuple(place for place in by_share if place not in WARDS),
            postcodes,
            total,
            total - sum(postcodes[ward] for ward in wards),
        )


_NOWHERE = Places.of({})


class Lookup(Struct, frozen=True):
    """What the active release says about the postcodes in hand."""

    release: str
    coarse: bool
    units: Mapping[str, Unit] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    guesses: Mapping[str, Guess] = field(default_factory=dict)
    _places: dict[str, Places] = field(default_factory=dict)  # of a list, many homes share a sector

    def places(self, prefix: str) -> Places:
        """Where the postcodes of this prefix lie; nowhere, if the release does not know it."""
        found = self._places.get(prefix)
        if found is None:
            shares = self.shares.get(prefix)
            found = self._places[prefix] = Places.of(shares) if shares else _NOWHERE
        return found


class Thresholds(Struct, frozen=True):
    """Confidence below `confirm_below` is confirmed at the call; a prefix with `outside_above` outside is triaged."""

    confirm_below: float = 0.9
    outside_above: float = 0.9


class InWard(Struct, frozen=True):
    """The home lies, or most likely lies, in this ward."""

    ward: Ward
    method: AssignmentMethod
    confidence: float
    confirm_at_call: bool
    because: str


class OutOfArea(Struct, frozen=True, tag_field="kind", tag="out-of-area"):
    """The home lies outside the borough."""

    district: str | None
    explanation: str


class Unplaceable(Struct, frozen=True):
    """Only a person can say. `wards` are those that it may be, the likeliest first; empty: no idea."""

    reason: str
    wards: tuple[str, ...] = ()


Found = InWard | OutOfArea | Unplaceable


def locate(postcode: GivenPostcode, lookup: Lookup, thresholds: Thresholds) -> Found:
    """Where the home with this postcode lies. None: nobody gave one."""
    if postcode is None:
        return Unplaceable(TriageReason.NO_POSTCODE)
    if isinstance(postcode, Fragment):
        return Unplaceable(TriageReason.INVALID_POSTCODE, lookup.places(postcode.prefix or "").wards)
    unit = lookup.units.get(str(postcode))
    if unit is not None and unit.district != BOROUGH:
        return OutOfArea(
            unit.district,
            f"The postcode table {lookup.release} has this postcode in {in_district(unit.district)}."
            f" {what_to_suggest(unit.district)}",
        )
    if unit is not None and unit.ward is not None:
        return InWard(
            WARDS[unit.ward],
            AssignmentMethod.EXACT,
            1.0,
            False,  # noqa: FBT003 # the table is certain
            f"The postcode table {lookup.release} has this postcode in {ward_name(unit.ward)}.",
        )
    return _likeliest(postcode, lookup, thresholds)


def _likeliest(postcode: Postcode, lookup: Lookup, thresholds: Thresholds) -> Found:
    sector = lookup.places(postcode.sector)
    if sector.districts and not sector.wards:
        district = sector.districts[0] if len(sector.districts) == 1 else None
        where = in_district(district) if district else "other districts"
        return OutOfArea(
            district,
            f"Every postcode of this sector in {lookup.release} lies in {where}. {what_to_suggest(district)}",
        )
    guess = lookup.guesses.get(str(postcode))
    if guess is not None:
        return _by_neighbours(guess, lookup, sector, thresholds)
    for prefix in (postcode.sector_letter, postcode.sector):
        places = lookup.places(prefix)
        if not places.total:
            continue
        if not places.wards or places.outside / places.total >= thresholds.outside_above:
            return Unplaceable(TriageReason.UNKNOWN_POSTCODE, places.wards or sector.wards)
        ward = places.wards[0]
        share = places.postcodes[ward]
        confidence = round(share / (places.total + 1), 3)
        near = prefix == postcode.sector_letter and not lookup.coarse
        return InWard(
            WARDS[ward],
            AssignmentMethod.NEAREST if near else AssignmentMethod.COARSE,
            confidence,
            confidence < thresholds.confirm_below,
            f"{'By the nearest known postcodes' if near else 'By the postcode sector'}: {share} of {places.total}"
            f" postcodes like this one in {lookup.release} lie in {ward_name(ward)}.",
        )
    return Unplaceable(TriageReason.UNKNOWN_POSTCODE, lookup.places(postcode.outcode).wards)


def _by_neighbours(guess: Guess, lookup: Lookup, sector: Places, thresholds: Thresholds) -> Found:
    if guess.ward is None or guess.outside >= thresholds.outside_above:
        wards = dict.fromkeys((*((guess.ward,) if guess.ward else ()), *sector.wards))
        return Unplaceable(TriageReason.UNKNOWN_POSTCODE, tuple(wards))
    nearest = (
        "its nearest known postcodes" if guess.by_position else "the postcodes next to it in the alphabet"
    )
    return InWard(
        WARDS[guess.ward],
        AssignmentMethod.NEAREST,
        guess.confidence,
        guess.confidence < thresholds.confirm_below,
        f"The postcode table {lookup.release} does not place this postcode. Of {nearest},"
        f" {guess.agreeing} of {guess.neighbours} lie in {ward_name(guess.ward)}.",
    )


def lookup_keys(postcodes: Iterable[GivenPostcode]) -> tuple[set[str], set[str]]:
    """What to ask a gazetteer for these postcodes: exact postcodes, and prefixes."""
    units: set[str] = set()
    prefixes: set[str] = set()
    for postcode in postcodes:
        match postcode:
            case Postcode():
                units.add(str(postcode))
                prefixes.update(postcode.prefixes)
            case Fragment(prefix=str(prefix)):
                prefixes.add(prefix)
            case _:
                pass
    return units, prefixes


def tally(units: Iterable[tuple[Postcode, Unit]]) -> dict[str, Counter[str]]:
    """Count the postcodes of each prefix by place, as far as it helps to find a ward.

    Every sector is in it, so that a sector outside the borough is known to be outside; its letters only where the
    sector lies in more than one place and touches the borough; outcodes where they touch it.
    """
    counts: dict[str, Counter[str]] = {}
    for postcode, unit in units:
        place = unit.ward or (unit.district if unit.district != BOROUGH else None)
        if place is not None:
            for prefix in postcode.prefixes:
                counts.setdefault(prefix, Counter())[place] += 1
    return {prefix: places for prefix, places in sorted(counts.items()) if _helps(prefix, places, counts)}


def _helps(prefix: str, places: Counter[str], counts: Mapping[str, Counter[str]]) -> bool:
    outcode, _, inward = prefix.partition(" ")
    if not inward:
        return _touches_borough(places)
    if len(inward) == 1:
        return True
    sector = counts[f"{outcode} {inward[0]}"]
    return len(sector) > 1 and _touches_borough(sector)


def _touches_borough(places: Iterable[str]) -> bool:
    return any(place in WARDS for place in places)
