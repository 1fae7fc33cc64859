"""Nobody is refused for an incomplete form or an unreadable detail; refused is what names nobody and nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdcan_contracts.inbound.submission import Person, Submission, content_hash, examine, tidy
from bdcan_contracts.models import Household, Priority
from bdcan_contracts.typed import Fragment, read_postcode
from bdcan_contracts.vocabulary import Channel, Flag, NeedCode
from bdcan_intake.domain.submission import priority_of, sent_flags

TODAY = date(2020, 3, 23)


def submission(**more) -> Submission:
    return Submission(source="desk", reference=None, channel=Channel.PHONE, **more)


def codes(given: Submission) -> list[str]:
    return [p.code for p in examine(given, TODAY).problems]


@pytest.mark.parametrize(
    "given",
    [
        submission(person=Person(name="Amina Example")),
        submission(person=Person(phone="07700 900417")),
        submission(person=Person(address="12 Example Close")),
        submission(needs=(NeedCode.FOOD_PARCEL,)),
        submission(notes="The neighbour at number 12 has not been seen."),
    ],
)
def test_person_or_need_alone_is_enough(given: Submission):
    assert codes(given) == []


def test_missing_person_and_need_are_both_named():
    given = submission(person=Person(name="  "), household=Household(adults=2))
    assert codes(given) == ["nobody-named", "nothing-needed"]


def test_birth_date_may_be_today():
    born = submission(person=Person(name="A", birth_date=TODAY))
    assert (codes(born), tidy(born, TODAY).person.birth_date) == ([], TODAY)


@pytest.mark.parametrize("born", [date(2020, 3, 24), date(1880, 1, 1)])
def test_birth_date_that_cannot_be_true_is_kept_and_flagged(born: date):
    typed = submission(person=Person(birth_date=born))
    tidied = tidy(typed, TODAY)
    assert codes(typed) == []
    assert (tidied.person.birth_date, tidied.person.unclear) == (None, {"birth_date": born.isoformat()})
    assert Flag.DETAILS_UNCLEAR in tidied.flags


def test_events_carry_five_flags_and_leave_out_what_readers_see_anyway():
    person = Person(unclear={"birth_date": "?"})
    flags = tidy(
        submission(person=person, flags=(Flag.SHIELDING, Flag.LIVES_ALONE, Flag.INTERPRETER_NEEDED)), TODAY
    ).flags
    assert set(flags) - set(sent_flags(flags)) == {Flag.DETAILS_UNCLEAR}
    assert len(sent_flags(flags)) == 5


@given(
    st.from_regex(r"[ ]?[A-Za-zＲＭ]{1,2}[0-9OIL１８]{1,2}[A-Z]?[ -]?[0-9OILSBZ][A-Za-z]{2}", fullmatch=True)
)
def test_routing_reads_the_postcode_that_intake_read(typed):
    sent = tidy(submission(person=Person(postcode=typed)), TODAY)
    read = read_postcode(typed)
    assert read_postcode(sent.person.sent_postcode) == read
    assert (Flag.NO_POSTCODE in sent.flags) is isinstance(read, Fragment)


def test_reading_a_tidy_submission_again_changes_nothing():
    typed = Person(
        name="Zoe\u0308", phone="tel:07700 900417 (son)", address="1 Road\r\nDagenham", postcode="rm8 oab"
    )
    once = tidy(submission(person=typed, notes=" a\rb "), TODAY)
    assert tidy(once, TODAY) == once
    assert (once.person.phone_e164, once.person.postcode) == ("+447700900417", "RM8 0AB")


def test_missing_phone_and_postcode_are_flagged():
    assert tidy(submission(person=Person(name="A")), TODAY).flags == (Flag.NO_PHONE, Flag.NO_POSTCODE)


def test_unusable_phone_and_postcode_are_kept_and_flagged():
    tidied = tidy(submission(person=Person(phone="ask at 12", postcode="near the park")), TODAY)
    assert (tidied.person.phone, tidied.person.postcode) == ("ask at 12", "near the park")
    assert set(tidied.flags) == {Flag.NO_PHONE, Flag.NO_POSTCODE}
    assert tidied.person.sent_postcode is None  # longer than a postcode: it may be an address


def test_usable_phone_removes_the_senders_no_phone_flag():
    given = submission(
        person=Person(phone="07700900417", postcode="rm108xx"), flags=(Flag.NO_PHONE, Flag.SHIELDING)
    )
    assert tidy(given, TODAY).flags == (Flag.SHIELDING,)


def test_household_of_nobody_counts_as_unknown():
    assert tidy(submission(household=Household(adults=0)), TODAY).household is None


def test_code_said_twice_is_one_need():
    assert tidy(submission(needs=(NeedCode.DEBT, NeedCode.DEBT)), TODAY).needs == (NeedCode.DEBT,)


@pytest.mark.parametrize(
    ("given", "priority"),
    [
        (submission(needs=(NeedCode.FOOD_PARCEL,)), Priority.STANDARD),
        (submission(needs=(NeedCode.FOOD_PARCEL,), outreach=True), Priority.ROUTINE),
        (
            submission(needs=(NeedCode.FOOD_PARCEL,), outreach=True, priority=Priority.STANDARD),
            Priority.STANDARD,
        ),
        (submission(needs=(NeedCode.DOMESTIC_ABUSE,), priority=Priority.ROUTINE), Priority.URGENT),
    ],
)
def test_priority_follows_from_the_request(given: Submission, priority: Priority):
    assert priority_of(given) is priority


def test_same_content_has_the_same_hash_through_every_door():
    one = submission(
        person=Person(name="Amina Example", postcode="rm108xx"), needs=(NeedCode.DEBT, NeedCode.HOUSING)
    )
    other = Submission(
        "list",
        "x",
        Channel.PHONE,
        Person(name=" Amina Example ", postcode="RM10 8XX"),
        needs=(NeedCode.HOUSING, NeedCode.DEBT),
    )
    assert content_hash(tidy(one, TODAY)) == content_hash(tidy(other, TODAY))


@pytest.mark.parametrize(
    "change", [{"name": "B"}, {"phone": "1"}, {"address": "x"}, {"birth_date": date(1950, 1, 1)}]
)
def test_other_content_has_another_hash(change):
    assert content_hash(tidy(submission(person=Person(name="A")), TODAY)) != content_hash(
        tidy(submission(person=Person(**({"name": "A"} | change))), TODAY)
    )
