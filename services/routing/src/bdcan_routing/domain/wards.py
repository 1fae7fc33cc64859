"""The borough and its wards. A ward is its code *and* the year of its boundaries, never its name.

Boundaries of May 2002 (17 wards, E05000026 to E05000042) held until May 2022, then those of 2022 (19 wards,
E05014053 to E05014071). "Abbey" of 2002 is mostly "Northbury" of 2022.
"""

from __future__ import annotations

from bdcan_contracts.models import Ward

BOROUGH = "E09000002"
"""District code of Barking and Dagenham."""

_FIRST_CODE = {2002: 26, 2022: 14053}
_NAMES = {
    2002: """
        Abbey, Alibon, Becontree, Chadwell Heath, Eastbrook, Eastbury, Gascoigne, Goresbrook, Heath, Longbridge,
        Mayesbrook, Parsloes, River, Thames, Valence, Village, Whalebone""",
    2022: """
        Abbey, Alibon, Barking Riverside, Beam, Becontree, Chadwell Heath, Eastbrook & Rush Green, Eastbury,
        Gascoigne, Goresbrook, Heath, Longbridge, Mayesbrook, Northbury, Parsloes, Thames View, Valence, Village,
        Whalebone""",
}

WARD_NAMES: dict[str, str] = {
    f"E05{_FIRST_CODE[vintage] + place:06d}": name.strip()
    for vintage, names in _NAMES.items()
    for place, name in enumerate(names.split(","))
}
"""Names for people, by code; they follow their codes in the alphabet."""

WARDS: dict[str, Ward] = {
    gss: Ward(gss=gss, vintage=2022 if gss >= f"E05{_FIRST_CODE[2022]:06d}" else 2002) for gss in WARD_NAMES
}
"""Every ward that the borough has or had, by code."""


def vintage_of(gss: str) -> int | None:
    """The year of the boundaries that the code belongs to; None for a code of another borough."""
    ward = WARDS.get(gss)
    return ward.vintage if ward else None


def ward_name(gss: str) -> str:
    """The ward for people, with the year that makes its name unambiguous."""
    return f"{WARD_NAMES[gss]} ({WARDS[gss].vintage})"
