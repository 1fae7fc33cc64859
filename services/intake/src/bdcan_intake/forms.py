"""What may be handed in about a person who needs help: the shape of a request and of a row.

This module checks the structure and the domain checks the sense. Senders hear of every field at fault at once. The limits on
lengths are against accidents: anything that a person could mean fits.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.wrong_fields import names_in, no_such_field
from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.submission import NOBODY_AND_NOTHING, Person, Submission
from bdcan_contracts.models import Household, Priority
from bdcan_contracts.typed import DATE_NOTATIONS, free_text, one_line, read_date
from bdcan_contracts.typed.codes import read_code, unknown_code
from bdcan_contracts.vocabulary import Channel, Diet, Flag, NeedCode
from bdcan_contracts.words import Word
from bdcan_intake.domain.changes import Amendment

F = TypeVar("F", bound=BaseModel)

Short = Annotated[Text, Field(max_length=60)]
Notes = Annotated[Text, Field(max_length=2000)]


def _day(typed: object, info: ValidationInfo) -> object:
    """The date, or the text as it was typed: nobody is refused for a date."""
    if not isinstance(typed, str):
        raise PydanticCustomError("text_expected", "Input should be a text, such as 1950-03-01")
    today: date = (info.context or {})["today"]
    return read_date(typed, today) or one_line(typed) or ""


BirthDate = Annotated[
    date | Annotated[str, Field(max_length=200)],
    BeforeValidator(_day),
    WithJsonSchema(
        {
            "type": "string",
            "description": f"{' or '.join(DATE_NOTATIONS)} or any other notation; kept as typed if nobody can read it",
        }
    ),
]


def _by_its_words(kind: type[Word]) -> BeforeValidator:
    """Reads a code, its title, or an everyday word for it."""

    def read(typed: object) -> object:
        if not isinstance(typed, str):
            return typed
        if code := read_code(kind, typed):
            return code
        raise PydanticCustomError("unknown_code", "{why}", {"why": unknown_code(kind, typed)})

    return BeforeValidator(read)


Need = Annotated[NeedCode, _by_its_words(NeedCode)]
DietWord = Annotated[Diet, _by_its_words(Diet)]
FlagWord = Annotated[Flag, _by_its_words(Flag)]


class PersonForm(Body):
    """Who needs help. Nothing is required."""

    name: Annotated[Text, Field(max_length=200)] | None = None
    phone: Short | None = None
    email: Annotated[Text, Field(max_length=254)] | None = None
    birth_date: BirthDate | None = None
    nhs_number: Short | None = None
    address: Annotated[Text, Field(max_length=500)] | None = None
    postcode: Short | None = None

    def person(self) -> Person:
        """The person as the domain has it."""
        born = self.birth_date
        if not isinstance(born, str):
            return Person(**vars(self))
        return Person(**(vars(self) | {"birth_date": None}), unclear={"birth_date": born} if born else {})


class HouseholdForm(Body):
    """Who lives there: people of 16 and over, children of 1 to 15, babies under 1."""

    adults: Annotated[int, Field(ge=0, le=20)] = 1
    children: Annotated[int, Field(ge=0, le=20)] = 0
    infants: Annotated[int, Field(ge=0, le=20)] = 0

    def household(self) -> Household:
        """The household as the contracts have it."""
        return Household(**vars(self))


_A_REQUEST: JsonDict = {
    "channel": "phone",
    "reference": "2020-03-23/17",
    "person": {"name": "Amina Example", "phone": "07700 900123", "postcode": "RM10 8XX"},
    "household": {"adults": 2, "children": 1},
    "needs": ["food-parcel", "prescription"],
}


class ReferralForm(Body):
    """A request for help. `reference` is the sender's own. One that may be somebody's name or number is shown as its hash."""

    model_config = ConfigDict(json_schema_extra={"examples": [_A_REQUEST]})
    channel: Annotated[Channel, _by_its_words(Channel)]
    needs: Annotated[tuple[Need, ...], Field(max_length=50)] = ()
    diets: Annotated[tuple[DietWord, ...], Field(max_length=20)] = ()
    flags: Annotated[tuple[FlagWord, ...], Field(max_length=20)] = ()
    reference: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    person: PersonForm = PersonForm()
    household: HouseholdForm | None = None
    priority: Priority | None = None
    notes: Notes | None = None
    outreach: bool = False
    consent: bool | None = None

    def submission(self, source: str, import_id: UUID | None = None) -> Submission:
        """The request as the domain has it."""
        given = vars(self) | {
            "person": self.person.person(),
            "household": self.household and self.household.household(),
        }
        return Submission(source=source, import_id=import_id, **given)


class AmendmentForm(Body):
    """What changes. A field that is left out stays; null takes a personal detail or the household away.

    `notes` is a further note: earlier ones stay. `call_id`: the welfare call in which all this was said.
    """

    version: int | None = None
    person: PersonForm | None = None
    household: HouseholdForm | None = None
    add_needs: Annotated[tuple[Need, ...], Field(max_length=50)] = ()
    withdraw_needs: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    diets: Annotated[tuple[DietWord, ...], Field(max_length=20)] | None = None
    flags: Annotated[tuple[FlagWord, ...], Field(max_length=20)] | None = None
    priority: Priority | None = None
    notes: Notes | None = None
    call_id: UUID | None = None
    consent: bool | None = None

    def amendment(self, *, by_sender: bool = False) -> Amendment:
        """The amendment as the domain has it."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "call_id"}
        if self.person is not None:
            person = self.person.person()
            given["person"] = {name: getattr(person, name) for name in self.person.model_fields_set}
            given["unclear"] = person.unclear
        else:
            given.pop("person", None)
        if self.household is not None:
            given["household"] = self.household.household()
        return Amendment(**given, by_sender=by_sender)


class CorrectionForm(Body):
    """What was wrong about the person of a referral that has ended. A detail that is left out stays; null takes it away."""

    person: PersonForm
    reason: Annotated[Text, Field(min_length=3, max_length=300, description="for the audit")]

    def correction(self) -> Amendment:
        """The correction as the domain has it."""
        person = self.person.person()
        given = {name: getattr(person, name) for name in self.person.model_fields_set}
        return Amendment(person=given, unclear=person.unclear)


def read_referral(raw: Any, today: date, *, strict: bool = True) -> ReferralForm | list[Problem]:
    """A request for help, or everything that is wrong with it. A file has nothing but text: it is not `strict`."""
    form = _read(ReferralForm, raw, today, strict=strict)
    if isinstance(form, list) and _says_nothing(raw):
        return [*form, *NOBODY_AND_NOTHING]
    return form


def read_amendment(raw: Any, today: date) -> AmendmentForm | list[Problem]:
    """What changes, or everything that is wrong with it."""
    return _read(AmendmentForm, raw, today)


def read_correction(raw: Any, today: date) -> CorrectionForm | list[Problem]:
    """What was wrong, or everything that is wrong with it."""
    return _read(CorrectionForm, raw, today)


def _read(form: type[F], raw: Any, today: date, *, strict: bool = True) -> F | list[Problem]:
    try:
        return form.model_validate(raw, strict=None if strict else False, context={"today": today})
    except ValidationError as error:
        return [
            _SOURCE_ELSEWHERE
            if form is ReferralForm and e["loc"] == ("source",)
            else no_such_field(("body", *e["loc"]), _names_of(form), raw)
            if e["type"] == "extra_forbidden"
            else _problem(e["loc"], e["type"], e["msg"])
            for e in error.errors(include_url=False, include_input=False, include_context=False)
        ]


_SOURCE_ELSEWHERE = Problem(
    "source",
    "unknown-field",
    "is not part of the body: the account says it; who has several names one in the address (?source=)",
)


@cache
def _names_of(form: type[BaseModel]) -> frozenset[str]:
    return frozenset(names_in(form.model_json_schema()))


def _problem(place: tuple[int | str, ...], kind: str, message: str) -> Problem:
    field = ".".join(map(str, place))
    match kind:
        case "enum":
            return Problem(field, "unknown-code", message.replace("Input should be", "is not known: choose"))
        case _:
            return Problem(field, kind.replace("_", "-"), message)


def _says_nothing(raw: Any) -> bool:
    if not isinstance(raw, dict):
        return False
    person = raw.get("person")
    said = [raw.get("notes"), raw.get("needs"), *(person.values() if isinstance(person, dict) else [person])]
    return not any(free_text(value) if isinstance(value, str) else value for value in said)
