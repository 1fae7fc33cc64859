# Generated from schemas/vocabulary by `python -m bdcan_contract_tools generate`. Do not edit.
"""The codes that this release knows. On the wire a code is a string, so a newer release may send others.

Read a need with `help_for(code, lane)`: it also answers for a code that this release does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bdcan_contracts.models import Lane
from bdcan_contracts.words import Audience, Help, Word


class Channel(Word):
    """How a request for help came in."""

    PHONE = "phone", "Telephone"
    """Somebody rang."""
    EMAIL = "email", "E-mail"
    """Somebody wrote an e-mail."""
    WEB = "web", "Web form"
    """Somebody filled in the form."""
    PARTNER = "partner", "Partner"
    """A community organisation asked."""
    OUTREACH = "outreach", "Outreach"
    """A list of people whom the network contacts by itself."""
    NHS_LIST = "nhs-list", "NHS list"
    """The national list of people who shield."""
    GP = "gp", "GP"
    """A doctor's surgery asked."""
    PHARMACY = "pharmacy", "Pharmacy"
    """A pharmacy asked."""


class Diet(Word):
    """What a food parcel must respect."""

    GLUTEN_FREE = "gluten-free", "Gluten-free"
    """No wheat, rye or barley."""
    DAIRY_FREE = "dairy-free", "Dairy-free"
    """No milk in any form."""
    VEGETARIAN = "vegetarian", "Vegetarian"
    """No meat and no fish."""
    VEGAN = "vegan", "Vegan"
    """Nothing from an animal."""
    PESCATARIAN = "pescatarian", "Pescatarian"
    """No meat. Fish is welcome."""
    HALAL = "halal", "Halal"
    """Meat is halal."""
    KOSHER = "kosher", "Kosher"
    """Food is kosher."""
    DIABETIC = "diabetic", "Diabetic"
    """No added sugar."""
    NUT_ALLERGY = "nut-allergy", "Nut allergy"
    """No nuts."""
    SEAFOOD_ALLERGY = "seafood-allergy", "Seafood allergy"
    """No fish and no seafood."""
    NO_COOKING_FACILITIES = "no-cooking-facilities", "No cooking facilities"
    """Nothing that must be cooked."""


class Fact(Word):
    """Something known of a resident or of goods that changes what must be brought."""

    DIETS = "diets", "Diets"
    """What food must respect, allergies included."""
    HOUSEHOLD = "household", "Household"
    """How many adults, children and babies live there."""
    FLAGS = "flags", "Flags"
    """A circumstance that changes how help is given."""
    PRIORITY = "priority", "Priority"
    """How soon help must come."""
    LANGUAGE = "language", "Language"
    """The language that the resident speaks."""
    CONSENT = "consent", "Consent"
    """Whether the resident agreed to be helped."""
    ADDRESS = "address", "Address"
    """Where the resident lives."""
    PERSON = "person", "Person"
    """The resident's name, telephone number or other details."""
    NEEDS = "needs", "Needs"
    """What is asked for."""
    NOTES = "notes", "Notes"
    """What somebody wrote beside the request."""
    RECALL = "recall", "Recall"
    """A supplier called back goods that the parcel may contain."""
    EXPIRED = "expired", "Expired"
    """The goods are past their date."""
    BACK_ORDER = "back-order", "Back-order"
    """Items that were missing and follow the parcel."""
    MISCOUNT = "miscount", "Miscount"
    """Somebody counted less on the shelf than the books say."""


class Flag(Word):
    """A circumstance that changes how help is given."""

    SHIELDING = "shielding", "Shielding"
    """The resident is at high risk and stays at home."""
    NO_PHONE = "no-phone", "No telephone"
    """Nobody can ring. Intake sets this by itself."""
    NO_POSTCODE = "no-postcode", "No postcode"
    """The home has no usable postcode. Intake sets this by itself."""
    DETAILS_UNCLEAR = "details-unclear", "Details unclear"
    """Intake could not read a detail, and keeps it as typed. Ask the resident. Intake sets this by itself."""
    NO_CONSENT = "no-consent", "No consent"
    """The resident does not agree to be contacted. Nobody rings; a person looks."""
    DECEASED = "deceased", "May have died"
    """Somebody says that the resident has died. Nobody rings; a person looks."""
    LIVES_ALONE = "lives-alone", "Lives alone"
    """Nobody else lives in the home."""
    INTERPRETER_NEEDED = "interpreter-needed", "Interpreter needed"
    """The resident speaks little English."""


class NeedCode(Word):
    """What a resident needs."""

    FOOD_PARCEL = "food-parcel", "Food parcel"
    """Food for about a week, by the size of the household and its diets."""
    BABY_SUPPLIES = "baby-supplies", "Baby supplies"
    """Nappies, wipes and baby food."""
    HYGIENE_SUPPLIES = "hygiene-supplies", "Hygiene supplies"
    """Soap, shampoo, toothpaste and sanitary towels."""
    SHOPPING = "shopping", "Shopping"
    """A volunteer shops with the resident's own money."""
    PRESCRIPTION = "prescription", "Prescription"
    """A volunteer fetches medicines from a pharmacy."""
    BEFRIENDING_CALL = "befriending-call", "Befriending call"
    """A volunteer rings for a chat."""
    TRANSPORT = "transport", "Transport"
    """A volunteer drives the resident to care."""
    ERRAND = "errand", "Errand"
    """A volunteer does something small outside the home."""
    LEAFLETTING = "leafletting", "Leafletting"
    """A volunteer brings leaflets to a street."""
    HOUSING = "housing", "Housing"
    """Trouble with a home or its landlord."""
    HOMELESSNESS = "homelessness", "Homelessness"
    """No home, or about to lose it."""
    DEBT = "debt", "Debt"
    """Debts that the household cannot pay."""
    BENEFITS = "benefits", "Benefits"
    """Help with claiming benefits."""
    HARDSHIP_PAYMENT = "hardship-payment", "Hardship payment"
    """Money for the days until help begins."""
    WORK_SKILLS = "work-skills", "Work and skills"
    """Help with finding work."""
    SOCIAL_CARE = "social-care", "Social care"
    """Care at home."""
    MENTAL_WELLBEING = "mental-wellbeing", "Mental wellbeing"
    """Support with mental health."""
    SHIELDING_SUPPORT = "shielding-support", "Shielding support"
    """Support for people who shield."""
    SAFEGUARDING_ADULT = "safeguarding-adult", "Safeguarding (adult)"
    """An adult may be at risk."""
    SAFEGUARDING_CHILD = "safeguarding-child", "Safeguarding (child)"
    """A child may be at risk."""
    DOMESTIC_ABUSE = "domestic-abuse", "Domestic abuse"
    """Somebody is hurt or controlled at home."""


class ReferralOutcome(Word):
    """What became of a request for help, once closed."""

    HELPED = "helped", "Helped"
    """Every need that was still wanted is met."""
    PARTLY_HELPED = "partly-helped", "Partly helped"
    """Some needs are met."""
    DECLINED = "declined", "Declined"
    """The resident wants no help."""
    REFERRED_ON = "referred-on", "Referred on"
    """Community Solutions has it."""
    OUT_OF_AREA = "out-of-area", "Out of area"
    """Another council must help."""
    WITHDRAWN = "withdrawn", "Withdrawn"
    """Somebody withdrew the request."""
    MERGED = "merged", "Merged"
    """Another referral carries it on."""


class CallOutcome(Word):
    """What came of a welfare call."""

    ANSWERED = "answered", "Answered"
    """The resident said what is needed."""
    REFUSED = "refused", "Refused"
    """The resident wants no help."""
    NO_ANSWER = "no-answer", "No answer"
    """Nobody picked up."""
    VOICEMAIL = "voicemail", "Voicemail"
    """A machine answered."""
    WRONG_NUMBER = "wrong-number", "Wrong number"
    """The number is somebody else's, or dead."""
    RESCHEDULED = "rescheduled", "Rescheduled"
    """The resident asked for another time."""


class EscalationOutcome(Word):
    """What became of an escalation. If nobody was helped, its needs return to their hub."""

    HELPED = "helped", "Helped"
    """Community Solutions helped."""
    PARTLY_HELPED = "partly-helped", "Partly helped"
    """Community Solutions helped with some of it."""
    NOT_HELPED = "not-helped", "Not helped"
    """Community Solutions could not help."""
    NOT_REACHED = "not-reached", "Not reached"
    """Community Solutions did not reach the resident."""
    REFUSED = "refused", "Refused"
    """The resident did not want Community Solutions' help."""
    DUPLICATE = "duplicate", "Duplicate"
    """Community Solutions says that it has another case of this."""
    NO_CAPACITY = "no-capacity", "No capacity"
    """Community Solutions has nobody who could help."""
    WITHDRAWN = "withdrawn", "Withdrawn"
    """It is no longer wanted."""


class TriageReason(Word):
    """Why a referral could not be placed without a person."""

    NO_POSTCODE = "no-postcode", "No postcode"
    """The referral has no postcode."""
    INVALID_POSTCODE = "invalid-postcode", "Invalid postcode"
    """What was typed is no postcode."""
    UNKNOWN_POSTCODE = "unknown-postcode", "Unknown postcode"
    """The table of postcodes does not have it."""
    DECIDED_ANEW = "decided-anew", "Decided anew"
    """A person wants it decided again: the first decision was wrong."""
    NO_HUB_FOR_WARD = "no-hub-for-ward", "No hub for the ward"
    """No hub looks after the ward."""


class Reason(Word):
    """Why a service ended, moved or gave back something by itself."""

    ADDRESS_CHANGED = "address-changed", "Address changed"
    """The resident moved to another area."""
    AMENDED = "amended", "Amended"
    """An amendment took the need away."""
    CHECK_MISSING = "check-missing", "Check missing"
    """The task requires an enhanced DBS check, and the volunteer's is not in force."""
    DECISION_UNDONE = "decision-undone", "Decision undone"
    """Somebody undid a decision that was a slip."""
    DECLINED_AT_CALL = "declined-at-call", "Declined at the call"
    """The resident did not want it."""
    DECEASED = "deceased", "May have died"
    """Somebody says that the resident has died."""
    GIVEN_TO_A_ROUND = "given-to-a-round", "Given to a round"
    """A person at the hub gave the task to somebody who goes on a round."""
    HUB_NOT_HELPED = "hub-not-helped", "Hub not helped"
    """The volunteer does not help this hub any more."""
    HUB_HANDED_OVER = "hub-handed-over", "Hub handed over"
    """The hub pauses and hands its open work over."""
    KIND_NOT_OFFERED = "kind-not-offered", "Kind not offered"
    """The volunteer does not do this kind of task any more."""
    NEED_CHANGED_AT_CALL = "need-changed-at-call", "Need changed at the call"
    """A call made another need of it."""
    NEED_WITHDRAWN = "need-withdrawn", "Need withdrawn"
    """An amendment withdrew the need."""
    NO_CONSENT = "no-consent", "No consent"
    """The resident does not agree to be contacted."""
    NOT_DONE_IN_TIME = "not-done-in-time", "Not done in time"
    """The volunteer did not report in time."""
    NOT_REACHED = "not-reached", "Not reached"
    """The last call of the ladder reached nobody."""
    NOT_STATED = "not-stated", "Not stated"
    """The council gave no reason."""
    OUT_OF_AREA = "out-of-area", "Out of area"
    """Another council must help."""
    OUTCOME_UNDONE = "outcome-undone", "Outcome undone"
    """Somebody undid what was reported of a call."""
    PARCEL_CANCELLED = "parcel-cancelled", "Parcel cancelled"
    """There is no parcel to deliver any more."""
    PERSON_ERASED = "person-erased", "Person erased"
    """The resident wants to be erased."""
    REFERRAL_CLOSED = "referral-closed", "Referral closed"
    """The referral is closed."""
    REFERRAL_WITHDRAWN = "referral-withdrawn", "Referral withdrawn"
    """Somebody withdrew the referral."""
    ROUND_CANCELLED = "round-cancelled", "Round cancelled"
    """The round of which the task was a stop does not take place."""
    PARTLY_DONE = "partly-done", "Partly done"
    """The volunteer did a part: somebody is asked for the rest."""
    VOLUNTEER_DID_NOT_COME = "volunteer-did-not-come", "Volunteer did not come"
    """The volunteer had accepted, and did not come."""
    SAME_HOUSEHOLD = "same-household", "Same household"
    """Another hub looks after the household already."""
    VOLUNTEER_SUSPENDED = "volunteer-suspended", "Volunteer suspended"
    """Somebody looks into a concern about the volunteer."""
    VOLUNTEER_LEFT = "volunteer-left", "Volunteer left"
    """The volunteer left the network."""


class TaskKind(Word):
    """What one volunteer does."""

    SHOPPING = "shopping", "Shopping"
    """Shop with the resident's own money."""
    PRESCRIPTION = "prescription", "Prescription"
    """Fetch medicines from a pharmacy."""
    BEFRIENDING_CALL = "befriending-call", "Befriending call"
    """Ring for a chat."""
    TRANSPORT = "transport", "Transport"
    """Drive the resident to care."""
    ERRAND = "errand", "Errand"
    """Do something small outside the home."""
    LEAFLETTING = "leafletting", "Leafletting"
    """Bring leaflets to a street."""
    PARCEL_DELIVERY = "parcel-delivery", "Parcel delivery"
    """Bring a packed parcel to the door."""
    DOORSTEP_VISIT = "doorstep-visit", "Doorstep visit"
    """Look in on somebody who cannot be reached by telephone."""


class Travel(Word):
    """How a volunteer gets about."""

    ON_FOOT = "on-foot", "On foot"
    """They walk."""
    BICYCLE = "bicycle", "Bicycle"
    """They cycle."""
    CAR = "car", "Car"
    """They drive a car for us."""


class Caution(Word):
    """What a hub respects when it asks a volunteer, because of the volunteer or their household."""

    SHIELDS_AT_HOME = "shields-at-home", "Shields at home"
    """The volunteer, or somebody they live with, is at high risk."""
    ALLERGIC_TO_DOGS = "allergic-to-dogs", "Allergic to dogs"
    """No homes with dogs."""
    ALLERGIC_TO_CATS = "allergic-to-cats", "Allergic to cats"
    """No homes with cats."""
    NO_STAIRS = "no-stairs", "No stairs"
    """No homes that are reached by stairs only."""
    NO_LIFTING = "no-lifting", "No lifting"
    """Nothing heavier than a shopping bag."""
    NOT_AFTER_DARK = "not-after-dark", "Not after dark"
    """No tasks outside after sunset."""


NEEDS: Mapping[str, Help] = MappingProxyType(
    {
        NeedCode.FOOD_PARCEL: Help(
            code="food-parcel",
            lane=Lane.FOOD,
            title="Food parcel",
            words=("food", "groceries", "hungry", "nothing to eat", "foodbank", "food bank", "food box"),
            audience=Audience.EVERYONE,
            parcel="food-parcel",
        ),
        NeedCode.BABY_SUPPLIES: Help(
            code="baby-supplies",
            lane=Lane.FOOD,
            title="Baby supplies",
            words=("nappies", "baby food", "baby milk", "wipes"),
            audience=Audience.EVERYONE,
            parcel="baby-supplies",
        ),
        NeedCode.HYGIENE_SUPPLIES: Help(
            code="hygiene-supplies",
            lane=Lane.FOOD,
            title="Hygiene supplies",
            words=("soap", "toiletries", "shampoo", "sanitary towels"),
            audience=Audience.EVERYONE,
            parcel="hygiene-supplies",
        ),
        NeedCode.SHOPPING: Help(
            code="shopping",
            lane=Lane.COMMUNITY,
            title="Shopping",
            words=("shopping", "groceries fetched", "milk and bread"),
            audience=Audience.EVERYONE,
            task=TaskKind.SHOPPING,
            dbs_with=frozenset({Flag.SHIELDING}),
        ),
        NeedCode.PRESCRIPTION: Help(
            code="prescription",
            lane=Lane.COMMUNITY,
            title="Prescription",
            words=("prescription", "medicine", "medication", "tablets", "pharmacy", "chemist"),
            audience=Audience.EVERYONE,
            task=TaskKind.PRESCRIPTION,
            dbs_always=True,
        ),
        NeedCode.BEFRIENDING_CALL: Help(
            code="befriending-call",
            lane=Lane.COMMUNITY,
            title="Befriending call",
            words=("lonely", "someone to talk to", "isolated"),
            audience=Audience.EVERYONE,
            task=TaskKind.BEFRIENDING_CALL,
        ),
        NeedCode.TRANSPORT: Help(
            code="transport",
            lane=Lane.COMMUNITY,
            title="Transport",
            words=("lift", "drive to hospital", "appointment"),
            audience=Audience.EVERYONE,
            task=TaskKind.TRANSPORT,
            dbs_always=True,
        ),
        NeedCode.ERRAND: Help(
            code="errand",
            lane=Lane.COMMUNITY,
            title="Errand",
            words=("post a letter", "walk the dog", "bins"),
            audience=Audience.EVERYONE,
            task=TaskKind.ERRAND,
        ),
        NeedCode.LEAFLETTING: Help(
            code="leafletting",
            lane=Lane.COMMUNITY,
            title="Leafletting",
            words=("leaflets", "letterbox"),
            audience=Audience.EVERYONE,
            task=TaskKind.LEAFLETTING,
        ),
        NeedCode.HOUSING: Help(
            code="housing",
            lane=Lane.COMPLEX,
            title="Housing",
            words=("rent", "landlord", "repairs", "damp"),
            audience=Audience.HUB_AND_COUNCIL,
            team="housing",
        ),
        NeedCode.HOMELESSNESS: Help(
            code="homelessness",
            lane=Lane.COMPLEX,
            title="Homelessness",
            words=("nowhere to sleep", "evicted", "sofa surfing"),
            audience=Audience.HUB_AND_COUNCIL,
            team="housing",
        ),
        NeedCode.DEBT: Help(
            code="debt",
            lane=Lane.COMPLEX,
            title="Debt",
            words=("debt", "bailiffs", "arrears"),
            audience=Audience.HUB_AND_COUNCIL,
            team="money-advice",
        ),
        NeedCode.BENEFITS: Help(
            code="benefits",
            lane=Lane.COMPLEX,
            title="Benefits",
            words=("universal credit", "benefits", "sick pay"),
            audience=Audience.HUB_AND_COUNCIL,
            team="money-advice",
        ),
        NeedCode.HARDSHIP_PAYMENT: Help(
            code="hardship-payment",
            lane=Lane.COMPLEX,
            title="Hardship payment",
            words=("no money", "gas meter", "electricity key"),
            audience=Audience.HUB_AND_COUNCIL,
            team="money-advice",
        ),
        NeedCode.WORK_SKILLS: Help(
            code="work-skills",
            lane=Lane.COMPLEX,
            title="Work and skills",
            words=("lost job", "find work", "training"),
            audience=Audience.HUB_AND_COUNCIL,
            team="work-and-skills",
        ),
        NeedCode.SOCIAL_CARE: Help(
            code="social-care",
            lane=Lane.COMPLEX,
            title="Social care",
            words=("carer", "washing and dressing", "care package"),
            audience=Audience.HUB_AND_COUNCIL,
            team="adult-social-care",
        ),
        NeedCode.MENTAL_WELLBEING: Help(
            code="mental-wellbeing",
            lane=Lane.COMPLEX,
            title="Mental wellbeing",
            words=("anxious", "depressed", "not coping"),
            audience=Audience.HUB_AND_COUNCIL,
            team="wellbeing",
        ),
        NeedCode.SHIELDING_SUPPORT: Help(
            code="shielding-support",
            lane=Lane.COMPLEX,
            title="Shielding support",
            words=("shielding letter", "clinically extremely vulnerable"),
            audience=Audience.HUB_AND_COUNCIL,
            team="shielding",
        ),
        NeedCode.SAFEGUARDING_ADULT: Help(
            code="safeguarding-adult",
            lane=Lane.SAFEGUARDING,
            title="Safeguarding (adult)",
            words=("abuse", "neglect", "exploited"),
            audience=Audience.HUB_AND_COUNCIL,
            team="adult-safeguarding",
        ),
        NeedCode.SAFEGUARDING_CHILD: Help(
            code="safeguarding-child",
            lane=Lane.SAFEGUARDING,
            title="Safeguarding (child)",
            words=("child at risk", "child neglected"),
            audience=Audience.HUB_AND_COUNCIL,
            team="childrens-safeguarding",
        ),
        NeedCode.DOMESTIC_ABUSE: Help(
            code="domestic-abuse",
            lane=Lane.SAFEGUARDING,
            title="Domestic abuse",
            words=("violent partner", "afraid at home"),
            audience=Audience.HUB_AND_COUNCIL,
            team="domestic-abuse",
        ),
    }
)
"""Every need that this release knows, by code."""

LANES: Mapping[Lane, Help] = MappingProxyType(
    {
        Lane.FOOD: Help(
            code="food",
            lane=Lane.FOOD,
            title="Food",
            words=(),
            audience=Audience.EVERYONE,
            parcel="food-parcel",
        ),
        Lane.COMMUNITY: Help(
            code="community",
            lane=Lane.COMMUNITY,
            title="Community",
            words=(),
            audience=Audience.EVERYONE,
            task=TaskKind.ERRAND,
            dbs_always=True,
        ),
        Lane.COMPLEX: Help(
            code="complex",
            lane=Lane.COMPLEX,
            title="Complex",
            words=(),
            audience=Audience.HUB_AND_COUNCIL,
            team="community-solutions",
        ),
        Lane.SAFEGUARDING: Help(
            code="safeguarding",
            lane=Lane.SAFEGUARDING,
            title="Safeguarding",
            words=(),
            audience=Audience.HUB_AND_COUNCIL,
            team="community-solutions",
        ),
    }
)
"""How a need of each lane is helped whose code this release does not know."""

HELPED: frozenset[str] = frozenset({EscalationOutcome.HELPED, EscalationOutcome.PARTLY_HELPED})
"""The outcomes of an escalation after which somebody was helped. After any other, its needs return to their hub."""


def help_for(code: str, lane: Lane) -> Help:
    """Who helps with a need. The lane decides where this release does not know the code, or knows it in another lane."""
    known = NEEDS.get(code)
    return known if known is not None and known.lane is lane else LANES[lane]
