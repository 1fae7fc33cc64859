"""A sender's reference, kept and told only where it is nobody's name or number.

Upstream systems choose their references. Some take the resident's name, NHS number or telephone number. Their sender finds the
request by it, and can make the hash that is kept and told instead. What a record says of itself (its id, its key) is treated alike.
"""

from __future__ import annotations

import re

from nhs_number.validate import is_valid

from bdcan_contracts.inbound.references import HASHED, hashed
from bdcan_contracts.inbound.submission import Person
from bdcan_contracts.models import QuotedRecord

_WORD = re.compile(r"[^\W\d_]{3,}")
_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FULL_NAME = re.compile(r"[^\W\d_]{2,}[\s,]+[^\W\d_]{2,}")
_NHS_NUMBER = re.compile(r"(?<!\d)\d{3}[\s-]?\d{3}[\s-]?\d{4}(?!\d)")
_TELEPHONE = re.compile(r"(?<!\d)(?:\+?44[\s(]*0?[\s)]*|0)[1-9](?:[\s()./-]*\d){8,9}(?!\d)")
_NATIONAL_INSURANCE = re.compile(r"(?<![^\W_])[a-z]{2}(?:[\s-]?\d){6}[\s-]?[a-d](?![^\W_])", re.IGNORECASE)
_LEAST_DIGITS = 6
"""So many digits of a telephone or NHS number, or a date of birth, name somebody."""
_FEW_DIGITS = 4
"""Two words with no more digits than a year has are a name with a number behind it."""


def told(source: str, reference: str, person: Person | None = None) -> str:
    """The reference, or `sha256:` and the hash of `<source>:<reference>` if it may be somebody's name or number."""
    return hashed(source, reference) if _may_be_somebody(reference, person) else reference


def named_alike(known: str | None, name: str) -> str:
    """The name; the hash where a referral is known by it already: one that is amended keeps its name."""
    return known if known and known.startswith(HASHED) else name


def quoted(record: QuotedRecord, source: str, reference: str, name: str, person: Person) -> QuotedRecord:
    """What a receipt says of its record. `name` is how the receipt names the reference, and so its key does.

    An id, a type or a source of an event that names somebody is its hash.
    """
    attributes = {"id": record.id, "type": record.type, "source": record.source}
    told_as = {
        field: hashed(source, said)
        for field, said in attributes.items()
        if said is not None and _names_somebody(said, person)
    }
    key = record.key and _told_key(record.key, source, reference, name, person)
    if key == record.key and not told_as:
        return record
    return record.model_copy(update={**told_as, "key": key})


def _told_key(key: str, source: str, reference: str, name: str, person: Person) -> str:
    """A record's key. Where it names the reference, under whichever source, it does so as the receipt does."""
    named, _, behind = key.partition(":")
    if key == source:
        return key
    if behind == reference:
        return f"{named}:{name}"
    if named == source and behind:
        return f"{source}:{told(source, behind, person)}"
    return told(source, key, person)


def _may_be_somebody(reference: str, person: Person | None) -> bool:
    if reference.startswith(HASHED):
        return True  # so that nobody's hash is another's reference
    if _UUID.fullmatch(reference):
        return False
    words, digits = len(_WORD.findall(reference)), len(re.findall(r"\d", reference))
    if (words and not digits) or (words > 1 and digits <= _FEW_DIGITS):
        return True
    return _names_somebody(reference, person)


def _names_somebody(said: str, person: Person | None) -> bool:
    """Whether it is plainly a name or a number of somebody, or repeats a detail of this person."""
    if _UUID.fullmatch(said):
        return False
    digits = re.sub(r"\D", "", said)
    numbers = [digits, *(re.sub(r"\D", "", found) for found in _NHS_NUMBER.findall(said))]
    if any(len(number) == 10 and is_valid(number) for number in numbers):
        return True
    if "@" in said or any(kind.search(said) for kind in (_TELEPHONE, _NATIONAL_INSURANCE, _FULL_NAME)):
        return True
    return person is not None and _is_of(person, said, digits)


def _is_of(person: Person, reference: str, digits: str) -> bool:
    """Whether the reference repeats a detail of this person."""
    words = {word.casefold() for word in _WORD.findall(reference)}
    if words & {word.casefold() for word in _WORD.findall(person.name or "")}:
        return True
    squeezed = re.sub(r"[\W_]", "", reference).casefold()
    postcode = re.sub(r"\W", "", person.postcode or "").casefold()
    if person.email and person.email.casefold() in reference.casefold():
        return True
    if len(postcode) > 4 and postcode in squeezed:
        return True
    if len(digits) < _LEAST_DIGITS:
        return False
    numbers = [re.sub(r"\D", "", said) for said in (person.phone, person.nhs_number) if said]
    if person.birth_date:
        numbers += [person.birth_date.strftime(form) for form in ("%Y%m%d", "%d%m%Y", "%d%m%y")]
    return any(len(number) >= _LEAST_DIGITS and number in digits for number in numbers)
