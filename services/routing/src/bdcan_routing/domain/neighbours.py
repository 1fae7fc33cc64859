"""Where a home most likely lies whose postcode the table does not place: where its nearest known neighbours lie.

A table may have a postcode's position and no ward: then the nearest positions of its sector decide. Or it does not
have the postcode at all, because it is newer than the table: then the nearest codes of its sector decide. Royal Mail
gives out codes street by street, so neighbours in the alphabet are mostly neighbours in the street.

The nearest ones' share becomes a confidence by calibration: each known postcode is guessed from the others, and
counted as right or wrong. A confidence of 0.9 therefore means that nine of ten such guesses are right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import hypot

from msgspec import Struct

from bdcan_contracts.typed import Postcode
from bdcan_routing.domain.wards import WARDS

UNIT_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"
"""The letters of a postcode's last two places; Royal Mail leaves out those that look like another."""

CODES = tuple(first + second for first in UNIT_LETTERS for second in UNIT_LETTERS)
"""Every pair of them, in order: what a sector's postcodes may end with."""

_PLACE_IN_ORDER = {code: place for place, code in enumerate(CODES)}

# Measured by leave-one-out on Code-Point Open 2025.4: more or fewer are no better.
_NEAREST_POSITIONS = 5
_NEAREST_CODES = 10
# What speaks for no place at all: one neighbour that is far away makes nobody sure.
_DOUBT_OF_POSITIONS = 1 / 250
_DOUBT_OF_CODES = 1 / 20


class Known(Struct, frozen=True):
    """A postcode of a sector, with its place if the table says it: a ward of the borough, or a district outside.

    `at`: easting and northing in metres, None where the table has no position.
    """

    postcode: Postcode
    at: tuple[int, int] | None
    place: str | None


class Guess(Struct, frozen=True):
    """The likeliest ward of the borough, and how likely (0 to 1). `ward` None: every neighbour lies outside.

    `outside` is the share of the neighbours outside; `agreeing` of `neighbours` lie in the ward.
    """

    ward: str | None
    confidence: float
    outside: float
    agreeing: int
    neighbours: int
    by_position: bool


class Calibration(Struct, frozen=True):
    """From the neighbours' share to how often such a guess is right. Each step holds up to its share."""

    steps: tuple[tuple[float, float], ...] = ()

    @staticmethod
    def of(guesses: Iterable[tuple[float, bool]]) -> Calibration:
        """From shares, and whether each guess was right: isotonic regression, so that a larger share is never less sure."""
        tried: dict[float, list[int]] = {}
        for share, right in guesses:
            pool = tried.setdefault(round(share, 2), [0, 0])
            pool[0] += right
            pool[1] += 1
        pools: list[tuple[float, int, int]] = []
        for share, (right, count) in sorted(tried.items()):
            pool = (share, right, count)
            while pools and _rate(*pools[-1][1:]) >= _rate(*pool[1:]):
                _, before, of_before = pools.pop()
                pool = (share, pool[1] + before, pool[2] + of_before)
            pools.append(pool)
        return Calibration(tuple((share, _rate(right, count)) for share, right, count in pools))

    def confidence(self, share: float) -> float:
        """How likely the guess is right. Without anything to learn from, the share itself."""
        for bound, rate in self.steps:
            if round(share, 2) <= bound:
                return rate
        return self.steps[-1][1] if self.steps else share


def _rate(right: int, count: int) -> float:
    return (right + 1) / (count + 2)  # Laplace's rule: a few guesses never give certainty


def guesses(known: Iterable[Known]) -> Iterator[tuple[Postcode, Guess]]:
    """For each sector that touches the borough, a guess for every postcode that it may have and the table does not place."""
    sectors: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for one in known:
        sectors[one.postcode.outcode, one.postcode.inward[0]].append(one)
    touching = {
        sector: [one for one in members if one.place]
        for sector, members in sectors.items()
        if any(one.place in WARDS for one in members)
    }
    by_code, by_position = _calibrations(touching.values())
    for (outcode, digit), placed in touching.items():
        done = {one.postcode.inward[1:] for one in placed}
        positions = {one.postcode.inward[1:]: one.at for one in sectors[outcode, digit] if one.at}
        for code in CODES:
            if code not in done:
                one = Known(Postcode(outcode, digit + code), positions.get(code), None)
                found = likeliest(one, placed)
                yield one.postcode, found.guess(by_position if found.by_position else by_code)


def likeliest(one: Known, placed: Sequence[Known]) -> Nearest:
    """The nearest of some placed postcodes of the same sector: by position where that is known, else by code."""
    return (one.at and _by_position(one.at, placed)) or _by_code(one.postcode.inward[1:], placed)


class Nearest(Struct, frozen=True):
    """The nearest known postcodes by place: their weights and numbers, and the doubt that is left."""

    weights: Mapping[str, float]
    counts: Mapping[str, int]
    doubt: float
    by_position: bool

    @property
    def ward(self) -> str | None:
        """The likeliest ward of the borough."""
        wards = [place for place in self.weights if place in WARDS]
        return max(wards, key=lambda ward: (self.weights[ward], ward)) if wards else None

    def share(self, place: str | None) -> float:
        """The weight of a place, as a share of all weights and the doubt."""
        total = sum(self.weights.values()) + self.doubt
        return self.weights.get(place, 0.0) / total if place else 0.0

    def guess(self, calibration: Calibration) -> Guess:
        """The guess, with the confidence that its share deserves."""
        ward = self.ward
        return Guess(
            ward,
            round(calibration.confidence(self.share(ward)), 3) if ward else 0.0,
            round(sum(self.share(place) for place in self.weights if place not in WARDS), 3),
            self.counts[ward] if ward else 0,
            sum(self.counts.values()),
            self.by_position,
        )


def _by_code(code: str, placed: Sequence[Known]) -> Nearest:
    own = _PLACE_IN_ORDER[code]
    apart = ((abs(_PLACE_IN_ORDER[one.postcode.inward[1:]] - own), one) for one in placed)
    return _nearest(apart, _NEAREST_CODES, 0, _DOUBT_OF_CODES, by_position=False)


def _by_position(at: tuple[int, int], placed: Sequence[Known]) -> Nearest | None:
    apart = [(hypot(one.at[0] - at[0], one.at[1] - at[1]), one) for one in placed if one.at]
    return _nearest(apart, _NEAREST_POSITIONS, 1, _DOUBT_OF_POSITIONS, by_position=True) if apart else None


def _nearest(
    apart: Iterable[tuple[float, Known]], count: int, more: float, doubt: float, *, by_position: bool
) -> Nearest:
    weights: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for distance, one in sorted(apart, key=lambda pair: (pair[0], pair[1].postcode))[:count]:
        assert one.place  # noqa: S101 # only placed postcodes are neighbours
        weights[one.place] += 1 / (distance + more)
        counts[one.place] += 1
    return Nearest(weights, counts, doubt, by_position)


def _calibrations(sectors: Iterable[Sequence[Known]]) -> tuple[Calibration, Calibration]:
    """By code and by position, from each known postcode as if the table did not place it."""
    tries: tuple[list[tuple[float, bool]], list[tuple[float, bool]]] = ([], [])
    for placed in sectors:
        for one in placed:
            others = [other for other in placed if other is not one]
            if not others:
                continue
            found = (
                _by_code(one.postcode.inward[1:], others),
                _by_position(one.at, others) if one.at else None,
            )
            for nearest, tried in zip(found, tries, strict=True):
                if nearest and nearest.ward:
                    tried.append((nearest.share(nearest.ward), nearest.ward == one.place))
    return Calibration.of(tries[0]), Calibration.of(tries[1])
