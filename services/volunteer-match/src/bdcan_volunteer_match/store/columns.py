"""What each column of volunteer-match's tables says about people. `docs/privacy.md` shows it; a test misses no column."""

from __future__ import annotations

from bdcan_chassis.columns import Columns

COLUMNS = (
    Columns("call_attempt", accounts="caller", ids="call_id referral_id", plain="attempt outcome made_at"),
    Columns(
        "completion",
        person="spent_pence receipt change_pence handed seen",
        accounts="caller",
        ids="task_id referral_id volunteer_id",
        plain="kind missing bags arrived homes reported_at",
    ),
    Columns("concern", ids="concern_id task_id volunteer_id", plain="code raised_at"),
    Columns(
        "contact_view",
        person="reason",
        accounts="caller",
        ids="volunteer_id",
        plain="seq viewed_at",
        ends="always empty: rows of the release before go on to the audit",
    ),
    Columns("decision", accounts="caller", ids="subject_id", plain="seq decision reason decided_at"),
    Columns("hub", plain="hub_id version name paused neighbours"),
    Columns(
        "round",
        accounts="planned_by",
        ids="round_id plan_id volunteer_id stops left_out",
        plain="hub_id means room start start_name leaves_at back_by back_at metres state version proposed_at settled_at changed_at",
    ),
    Columns(
        "task",
        person="undecided decided respects warnings last sector",
        ids="task_id referral_id need_id parcel_id volunteer_id asked_ids",
        plain="kind hub_id priority requires_dbs state due_at alarm_at opened_at offer_expires_at do_by settled_at offers_made failures unfilled changed_at returned_because stopped_by",
    ),
    Columns("task_act", accounts="caller", ids="task_id volunteer_id", plain="act acted_at"),
    Columns(
        "task_offer",
        person="because reason metres",
        accounts="caller",
        ids="task_id volunteer_id",
        plain="number offered_at expires_at state ended_at ring not_asked",
    ),
    Columns("uncounted_attempt", accounts="caller", ids="call_id referral_id", plain="seq outcome made_at"),
    Columns(
        "volunteer",
        person="sector travels radius_m languages availability weekly_offers cautions",
        ids="volunteer_id",
        plain="on_duty state version hub_ids task_kinds dbs_cleared has_car welcome_by paused_until last_offered_at changed_at dbs_expires_at suspended parts suspended_by",
    ),
    Columns(
        "volunteer_check",
        person="reference",
        accounts="caller",
        ids="volunteer_id",
        plain="hub_id kind issued_on seen_on valid_until reason recorded_at",
    ),
    Columns("volunteer_person", person="name phone phone_e164 postcode", ids="volunteer_id"),
    Columns(
        "welfare_call",
        person="household diets flags warnings last cleared sector",
        accounts="claimed_by",
        ids="referral_id call_id closed_needs needs same_person_ids same_household_ids claimed_with",
        plain="state hub_id assignment_version amendment_version priority outreach confirm_at_call attempts misses not_before due_at claim_expires_at ended withdrawn changed_at review review_by review_overdue address_version linked_at alarm_at",
        ends="claimed_by goes when the claim ends",
    ),
)
