"""Residents with values that nobody else has, so that a scan finds whatever is left of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

from bdcan_simulator.borough import Borough, Resident
from bdcan_simulator.postcodes import PostcodeSource

WORDS = 57
"""So many words of a note of each resident are looked for."""

_LETTERS = "bcdfghjklmnpqrstvwxyz"
_ACCENTED = "žščřøåłğ"


@dataclass(frozen=True, slots=True)
class Planted(Borough):
    """A borough of which these residents, by number, have values of their own."""

    numbers: frozenset[int] = field(default=frozenset())

    @classmethod
    def of(cls, seed: int, source: PostcodeSource, numbers: Iterable[int]) -> Planted:
        """The borough of a seed."""
        return cls(seed, source, frozenset(numbers))

    def resident(self, number: int) -> Resident:
        """The resident with a number."""
        resident = Borough.resident(self, number)
        return _plant(self.seed, resident) if number in self.numbers else resident


def values(resident: Resident) -> list[str]:
    """The 64 values of a planted resident: each part of the name, the numbers, each line of the address, each word of the notes."""
    numbers = (resident.phone or "").removeprefix("0"), resident.nhs_number or "", resident.email or ""
    words = f"{resident.name} {resident.notes}".split()
    return [*numbers, *(resident.address or "").split(", "), *words]


def _plant(seed: int, resident: Resident) -> Resident:
    random = Random(f"{seed}/planted/{resident.number}")  # no secret
    name = f"{_word(random)} {_word(random)}".title()
    street = f"{random.randrange(100, 999)} {_word(random).title()} Mews"
    return replace(
        resident,
        name=name,
        phone=f"074{random.randrange(10**8):08d}",
        email=f"{_word(random, accents='')}@example.org",
        nhs_number=_nhs_number(random),
        address=f"{street}, {_word(random).title()}",
        notes=" ".join(_word(random) for _ in range(WORDS)),
    )


def _word(random: Random, accents: str = _ACCENTED) -> str:
    """Ten letters without a meaning; one of them has an accent."""
    letters = [random.choice(_LETTERS) for _ in range(10)]
    if accents:
        letters[random.randrange(10)] = random.choice(accents)
    return "".join(letters)


def _nhs_number(random: Random) -> str:
    """Ten digits with a right check digit, outside the range that other residents of the borough have."""
    while True:
        digits = [4, *(random.randrange(10) for _ in range(8))]
        check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return "".join(map(str, [*digits, check % 11]))
