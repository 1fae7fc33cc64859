"""What each column of intake's tables says about people. `docs/privacy.md` shows it; a test misses no column."""

from __future__ import annotations

from bdcan_chassis.columns import Columns

COLUMNS = (
    Columns("erased_reference_secret", plain="place secret"),
    Columns(
        "disclosure",
        person="reason",
        accounts="caller",
        ids="subject_id",
        plain="id purpose fields disclosed_at",
        ends="always empty: rows of the release before go on to the audit",
    ),
    Columns("erased_reference", plain="digest erased_at"),
    Columns(
        "erasure",
        ids="referral_ids enquiry_ids volunteer_ids unknown_ids answers",
        accounts="asked_by",
        plain="id reason state requested_at erase_by due_at ended_at overdue",
    ),
    Columns(
        "instruction",
        person="what access say",
        accounts="author",
        ids="subject_id referral_id",
        plain="written_at",
    ),
    Columns("known_event", person="receipt", ids="referral_id", plain="event_key content taken_at"),
    Columns("need", ids="referral_id id", plain="code lane state reason owner due_at fact_at fact_rank"),
    Columns(
        "note", person="text", accounts="author", ids="id referral_id call_id", plain="noted_at for_doer"
    ),
    Columns(
        "referral",
        person="reference past_reference reference_key told_reference adults children infants diets flags",
        ids="id previous_referral_id next_referral_id same_person_ids same_household_ids earlier_referral_ids",
        plain="source import_id channel priority outreach state version hub_id assignment_version called out_of_area withdrawn_reason outcome owner due_at received_at contact_due_at closed_at changed_at erased_at guarded unreached_after",
    ),
    Columns(
        "referral_import",
        accounts="caller",
        plain="id source sha256 accepted duplicates refused imported_at state kept row_count ended_at unlisted",
    ),
    Columns("referral_import_duplicate", person="reference", ids="referral_id", plain="import_id line"),
    Columns("referral_import_error", person="reference message", plain="import_id place line field code"),
    Columns(
        "resident",
        person="name phone email birth_date nhs_number address postcode notes consent content_hash phone_e164 unclear likeness_keys",
        ids="referral_id",
        plain="compared",
    ),
    Columns("task_in_hand", ids="task_id referral_id need_id volunteer_id", plain="kind told_at"),
    Columns("timeline", person="detail", ids="referral_id need_id", plain="event_key at kind"),
    Columns(
        "volunteer_enquiry",
        person="name phone email postcode notes task_kinds has_car phone_e164",
        ids="id volunteer_id",
        plain="received_at hub_ids hubs_version erased_at",
    ),
)
