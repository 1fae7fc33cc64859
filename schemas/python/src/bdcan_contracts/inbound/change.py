"""An amendment of an upstream system, looked at as the other doors look at a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.problems import NOT_YOURS
from bdcan_contracts.inbound.request import known_codes
from bdcan_contracts.models import InboundReferralAmended, Person
from bdcan_contracts.typed import read_date
from bdcan_contracts.upstreams import Upstream
from bdcan_contracts.vocabulary import Diet, Flag, NeedCode

HOUSEHOLD: Final = "household"
REMOVABLE: Final = (*Person.model_fields, HOUSEHOLD)
"""The details that an amendment can take away."""


class AmendmentSaid(NamedTuple):
    """What an amendment changes, with what is wrong with it.

    `person` has the details that change, by name; None takes one away. `unclear` has those that nobody can read, as typed. None
    for diets and flags leaves them as they are.
    """

    problems: tuple[Problem, ...]
    person: Mapping[str, Any]
    unclear: Mapping[str, str]
    without_household: bool
    add_needs: tuple[str, ...]
    withdraw_needs: tuple[str, ...]
    diets: tuple[str, ...] | None
    flags: tuple[str, ...] | None


def examine_amendment(body: InboundReferralAmended, sender: Upstream, today: date) -> AmendmentSaid:
    """What changes. A code that is not known is a problem, and so is a detail that is both given and taken away."""
    problems: list[Problem] = []
    unclear = {detail.field: detail.text for detail in body.unclear or ()}
    person: dict[str, Any] = {}
    if body.person is not None:
        person = {name: said for name, said in vars(body.person).items() if said is not None}
    if born := read_date(unclear.get("birth_date"), today):
        person["birth_date"] = born
        del unclear["birth_date"]
    person |= {name: None for name in unclear if name in Person.model_fields and name not in person}
    removed = _removed(body, person, problems)
    examined = AmendmentSaid(
        (),
        person | {name: None for name in removed if name != HOUSEHOLD},
        unclear,
        HOUSEHOLD in removed,
        known_codes(NeedCode, body.add_needs or (), "add_needs.{}", problems),
        known_codes(NeedCode, body.withdraw_needs or (), "withdraw_needs.{}", problems),
        None if body.diets is None else known_codes(Diet, body.diets, "diets.{}", problems),
        None if body.flags is None else known_codes(Flag, body.flags, "flags.{}", problems),
    )
    if body.source not in sender.sources:
        return examined._replace(problems=(NOT_YOURS,))  # other problems would tell of the door
    return examined._replace(problems=tuple(problems))


def _removed(
    body: InboundReferralAmended, person: Mapping[str, Any], problems: list[Problem]
) -> Sequence[str]:
    """The details that are taken away."""
    given = {*person, *([HOUSEHOLD] if body.household is not None else [])}
    for place, name in enumerate(body.remove or ()):
        if name not in REMOVABLE:
            message = f"is no detail that can be taken away: choose {', '.join(REMOVABLE)}"
            problems.append(Problem(f"remove.{place}", "unknown-detail", message))
        elif name in given:
            message = "is given and taken away at once: say one of the two"
            problems.append(Problem(f"remove.{place}", "contradiction", message))
    return body.remove or ()
