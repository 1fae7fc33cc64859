"""Names, streets and contact data that nobody has.

Surnames and streets are invented words, telephone numbers come from Ofcom's range for drama (07700 900000 to 900999),
addresses of e-mail from example.org, and NHS numbers from the test range (999) with a right check digit.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

FIRST_NAMES = (
    "Abena", "Adewale", "Agnieszka", "Aisha", "Amina", "Andrei", "Anwar", "Beata", "Bernadette", "Blessing",
    "Carol", "Chidi", "Dalia", "Derek", "Doreen", "Dorothy", "Edna", "Elena", "Emeka", "Farzana", "Fatima",
    "Florence", "Funmi", "George", "Gintare", "Grace", "Hamza", "Harpreet", "Hazel", "Ibrahim", "Ioana",
    "Iris", "Jasmine", "Jean", "Joyce", "Kadija", "Kamal", "Kenneth", "Kwame", "Leila", "Linda", "Lukasz",
    "Maisie", "Malgorzata", "Maria", "Maureen", "Mehmet", "Mina", "Mohammed", "Nadia", "Ngozi", "Olga",
    "Omar", "Oluwaseun", "Pamela", "Patience", "Patrick", "Pauline", "Priya", "Rashida", "Reginald", "Rita",
    "Rosa", "Ruta", "Samina", "Sandra", "Sheila", "Shirin", "Sidra", "Stanley", "Sunita", "Sylvia", "Tariq",
    "Terence", "Tomasz", "Uche", "Valerie", "Vera", "Victor", "Winston", "Yasmin", "Yusuf", "Zainab",
    "Zofia",
)  # fmt: skip

SURNAMES = (
    "Amberlea", "Ashwarden", "Barrowmere", "Birchlatch", "Brackenfold", "Brindlewood", "Brookhallow",
    "Candlewick", "Cinderford", "Cloverstile", "Copperwhistle", "Dewhollow", "Driftmantle", "Eavenshaw",
    "Elderquill", "Emberstone", "Fallowbright", "Fennelworth", "Fernhollow", "Foxglovely", "Gorsewick",
    "Greyfeather", "Hallowbrook", "Harebellow", "Hazelthorpe", "Heathermoor", "Inkwillow", "Ivorydene",
    "Juniperley", "Kestrelby", "Lanternlow", "Larkspurrow", "Lindenmarsh", "Marigolder", "Meadowlark",
    "Merrythought", "Mistlebarrow", "Mosswater", "Nettlecombe", "Oakenshade", "Osierley", "Partridgely",
    "Pebbleworth", "Primrosier", "Quillfeather", "Quincewater", "Reedmantle", "Rowanhurst", "Rushlighter",
    "Sagebrook", "Silverbirchen", "Sloeberry", "Sparrowhythe", "Teaselwood", "Thistledown", "Umberley",
    "Vetchling", "Wagtailor", "Wickerstone", "Willowherb", "Woodruffle", "Wrenfield", "Yarrowby",
    "Yewbarrow",
)  # fmt: skip

STREETS = (
    "Lantern Walk", "Teasel Close", "Wherry Lane", "Quince Gardens", "Samphire Road", "Osier Way", "Kittiwake Court",
    "Bellfounder Street", "Ropewalk Terrace", "Marigold Mews", "Eelcatcher Row", "Candlemaker Rise", "Millrace View",
    "Sloeberry Avenue", "Goosefeather Green", "Tidemark Street", "Hopsack Lane", "Foxtail Crescent",
)  # fmt: skip

_TOWNS = {"IG11": "Barking", "RM6": "Chadwell Heath", "RM5": "Romford", "RM7": "Romford"}


def full_name(random: Random) -> str:
    """A first name and an invented surname."""
    return f"{random.choice(FIRST_NAMES)} {random.choice(SURNAMES)}"


def phone(random: Random) -> str:
    """A number of the range for drama, in one of the notations that people use."""
    last = f"{random.randrange(1000):03d}"
    return random.choice(("07700 900{}", "07700900{}", "+44 7700 900{}")).format(last)


def email(name: str, number: int) -> str:
    """An address at example.org."""
    return f"{name.lower().replace(' ', '.')}.{number}@example.org"


def address(random: Random, outcode: str) -> str:
    """A house or a flat in a street that does not exist."""
    house = random.randrange(1, 180)
    flat = f"Flat {random.randrange(1, 40)}, " if random.random() < 0.35 else ""
    return f"{flat}{house} {random.choice(STREETS)}, {_TOWNS.get(outcode, 'Dagenham')}"


def nhs_number(random: Random) -> str:
    """Ten digits from the test range with a right check digit (modulus 11)."""
    while True:
        digits = [9, 9, 9, *(random.randrange(10) for _ in range(6))]
        check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            text = "".join(map(str, [*digits, check % 11]))
            return f"{text[:3]} {text[3:6]} {text[6:]}" if random.random() < 0.5 else text


def birth_date(random: Random, youngest: int, oldest: int) -> date:
    """A day between two ages, in years, as of March 2020."""
    return date(2020, 3, 23) - timedelta(days=random.randrange(youngest * 365, oldest * 365))
