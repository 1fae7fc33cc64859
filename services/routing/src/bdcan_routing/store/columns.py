"""What each column of routing's tables says about people. `docs/privacy.md` shows it; a test misses no column."""

from __future__ import annotations

from bdcan_chassis.columns import Columns

COLUMNS = (
    Columns(
        "assignment",
        person="facts verdict earlier",
        accounts="decided_by claimed_by",
        ids="referral_id same_person_ids same_household_ids",
        plain="state version amendment_version outreach contact_due_at hub_id triage_reason triage_due_at held_at changed_at withdrawn linked_at late_since claim_expires_at",
        ends="claimed_by goes when somebody decides",
    ),
    Columns("decision", accounts="caller", ids="referral_id", plain="seq decision reason decided_at"),
    Columns(
        "gazetteer_release",
        plain="release_id name kind digest vintage unit_count borough_count active imported_at unplaced_count wards",
    ),
    Columns(
        "gazetteer_guess",
        plain="release_id postcode ward_gss confidence outside agreeing neighbours by_position",
    ),
    Columns("gazetteer_share", plain="release_id prefix place_gss postcodes"),
    Columns("gazetteer_unit", plain="release_id postcode easting northing district_gss ward_gss"),
    Columns(
        "hub",
        plain="hub_id name cover neighbours paused pause_reason illustrative version configured_at capacity hours contacts closed_at",
    ),
    Columns(
        "hub_change", accounts="caller", plain="seq hub_id version change reason hub change_id changed_at"
    ),
    Columns(
        "hub_handover",
        accounts="started_by",
        plain="handover_id hub_id to_hub_id reason started_at moved ended_at",
    ),
    Columns("hub_load", plain="on_day hub_id kind given"),
    Columns("hub_ward", plain="ward_gss vintage hub_id"),
)
