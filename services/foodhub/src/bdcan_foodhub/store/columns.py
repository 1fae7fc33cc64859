"""What each column of foodhub's tables says about people. `docs/privacy.md` shows it; a test misses no column."""

from __future__ import annotations

from bdcan_chassis.columns import Columns

COLUMNS = (
    Columns("lot", plain="lot_id site_id item_id received_at quantity_left mark usable_until recalled"),
    Columns(
        "movement",
        ids="cause",
        plain="movement_id site_id item_id kind quantity lot best_before moved_at lot_id reason",
    ),
    Columns(
        "parcel",
        person="household diets flags decided added notices departure",
        ids="parcel_id referral_id need_id task_id",
        plain="hub_id site_id code priority lines state requested_at due_at changed_at missing missing_items retry_at bags weight_grams overdue noticed back_order top_up sent owed_items owed_due_at",
    ),
    Columns("recall", ids="parcels", plain="recall_id site_id item_id lot reason recalled_at quantity taken"),
    Columns(
        "referral",
        person="desk call",
        ids="referral_id same_person_ids same_household_ids",
        plain="hub_id assignment_version withdrawn_at withdrawn_needs changed_at amendment_version out_of_area linked_at",
    ),
    Columns("replenishment", plain="replenishment_id site_id item_id"),
    Columns(
        "stock",
        plain="site_id item_id unit received issued wasted on_hand reserved version announced_version low changed_at",
    ),
)
