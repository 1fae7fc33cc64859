"""The districts around the borough by their names, and what to suggest to a caller who lives in one.

Codes and names are those of the Office for National Statistics. Another district is named by its code alone.
"""

from __future__ import annotations

FIND_A_COUNCIL = "www.gov.uk/find-local-council"
"""Where anybody in the United Kingdom finds the council of a postcode."""

_IN_ORDER = {
    "E0900{:04d}": """
        City of London, Barking and Dagenham, Barnet, Bexley, Brent, Bromley, Camden, Croydon, Ealing, Enfield,
        Greenwich, Hackney, Hammersmith and Fulham, Haringey, Harrow, Havering, Hillingdon, Hounslow, Islington,
        Kensington and Chelsea, Kingston upon Thames, Lambeth, Lewisham, Merton, Newham, Redbridge,
        Richmond upon Thames, Southwark, Sutton, Tower Hamlets, Waltham Forest, Wandsworth, Westminster""",
    "E07000{:03d}": """
        Basildon, Braintree, Brentwood, Castle Point, Chelmsford, Colchester, Epping Forest, Harlow, Maldon,
        Rochford, Tendring, Uttlesford""",
    "E06000{:03d}": "Southend-on-Sea, Thurrock",
}
_FIRST = {"E0900{:04d}": 1, "E07000{:03d}": 66, "E06000{:03d}": 33}

DISTRICT_NAMES: dict[str, str] = {
    code.format(_FIRST[code] + place): name.strip()
    for code, names in _IN_ORDER.items()
    for place, name in enumerate(names.split(","))
}
"""London's boroughs and Essex's districts, by code."""


def in_district(gss: str) -> str:
    """The district for people: its name and code, or its code where the name is not known here."""
    name = DISTRICT_NAMES.get(gss)
    return f"{name} ({gss})" if name else f"district {gss}"


def what_to_suggest(gss: str | None) -> str:
    """What somebody can tell a caller who lives there. None: it may be one of several districts."""
    council = f"the council of {DISTRICT_NAMES[gss]}" if gss in DISTRICT_NAMES else "the caller's own council"
    return f"Suggest {council}: {FIND_A_COUNCIL} gives its number."
