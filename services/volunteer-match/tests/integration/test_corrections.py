"""What a resident corrects on the telephone reaches intake and the tasks."""

from __future__ import annotations

from volunteer_match_story import amended, assigned, need, only_call, report, task

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import Household, Priority, WelfareCallCompleted
from bdcan_contracts.vocabulary import Flag, NeedCode


async def answered(
    given: Harness, flags: tuple[str, ...] = (), **said: object
) -> tuple[WelfareCallCompleted, str]:
    event = assigned(needs=(need(NeedCode.SHOPPING),), flags=flags)
    await given.deliver(event, amended(event.referral_id, event.needs, 3, flags=flags))
    reported = await report(given, (await only_call(given))["call_id"], outcome="answered", **said)
    [told] = await given.emitted(WelfareCallCompleted)
    return told.data, reported["task_ids"][0]


async def test_corrections_are_told_to_intake_and_followed_by_the_task(given: Harness) -> None:
    told, task_id = await answered(
        given,
        flags=(Flag.NO_POSTCODE,),
        priority="urgent",
        household={"adults": 1},
        diets=["vegan"],
    )
    assert told.corrections is not None
    assert told.corrections.model_dump(exclude_none=True) == {
        "amendment_version": 3,
        "household": Household(adults=1).model_dump(),
        "diets": ("vegan",),
        "priority": Priority.URGENT,
    }
    assert told.priority is Priority.URGENT
    assert (await task(given, task_id))["priority"] == "urgent"


async def test_flags_that_the_resident_says_change_the_check(given: Harness) -> None:
    event = assigned(needs=(need(NeedCode.SHOPPING),), flags=(Flag.NO_POSTCODE, "dialysis"))
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    reported = await report(given, call_id, outcome="answered", flags=["shielding"])
    [told] = await given.emitted(WelfareCallCompleted)
    assert told.data.corrections.flags == ("shielding", "no-postcode", "dialysis"), (
        "what nobody can say stays"
    )
    found = await task(given, reported["task_ids"][0])
    assert (found["requires_dbs"], found["undecided"]) == (True, ["dialysis"])


async def test_a_resident_who_withdraws_consent_on_the_telephone_is_left_alone(given: Harness) -> None:
    told, task_id = await answered(given, consent=False)
    assert told.corrections is not None
    assert (told.corrections.consent, told.corrections.flags) == (False, ("no-consent",))
    assert (await task(given, task_id))["stopped_by"] == "no-consent"
    assert await given.run("match") == 0
    assert len((await given.http.get("/v1/welfare-calls?review=true")).json()["items"]) == 1


async def test_an_answer_that_corrects_nothing_tells_no_corrections(given: Harness) -> None:
    told, _ = await answered(given, consent=True, diets=[])
    assert told.corrections is None
