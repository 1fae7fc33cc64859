-- What the foodhub knows of a referral: which hub has it, and whether it was withdrawn (maybe before any parcel).
CREATE TABLE referral (
    referral_id uuid PRIMARY KEY,
    hub_id text,
    assignment_version int NOT NULL DEFAULT 0,
    withdrawn_at timestamptz
);

CREATE TABLE parcel (
    parcel_id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    need_id uuid NOT NULL,
    hub_id text NOT NULL,
    site_id text NOT NULL,
    code text NOT NULL CHECK (code IN ('food-parcel', 'baby-supplies', 'hygiene-supplies')),
    priority text NOT NULL CHECK (priority IN ('urgent', 'standard', 'routine')),
    household jsonb,
    diets text[] NOT NULL,
    lines jsonb NOT NULL,
    state text NOT NULL CHECK (state IN (
        'requested', 'short', 'reserved', 'picking', 'packed', 'dispatched', 'delivered', 'cancelled')),
    requested_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    missing jsonb NOT NULL,
    missing_items text[] NOT NULL,
    retry_at timestamptz,
    task_id uuid,
    bags int CHECK (bags > 0),
    weight_grams int CHECK (weight_grams >= 0),
    overdue boolean NOT NULL,
    CHECK (state NOT IN ('packed', 'dispatched', 'delivered') OR (bags IS NOT NULL AND weight_grams IS NOT NULL)),
    CHECK (state <> 'short' OR retry_at IS NOT NULL)
);
CREATE INDEX parcel_referral ON parcel (referral_id);
CREATE INDEX parcel_requested ON parcel (due_at, parcel_id) WHERE state = 'requested';
CREATE INDEX parcel_short ON parcel (site_id) WHERE state = 'short';
CREATE INDEX parcel_overdue ON parcel (parcel_id) WHERE overdue;
CREATE INDEX parcel_by_state ON parcel (state, due_at, parcel_id);

-- How much of each item each site has. issued is net of what came back unpacked.
CREATE TABLE stock (
    site_id text NOT NULL,
    item_id text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('each', 'gram', 'millilitre')),
    received bigint NOT NULL CHECK (received >= 0),
    issued bigint NOT NULL CHECK (issued >= 0),
    wasted bigint NOT NULL CHECK (wasted >= 0),
    on_hand bigint GENERATED ALWAYS AS (received - issued - wasted) STORED CHECK (on_hand >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    version int NOT NULL,
    announced_version int NOT NULL DEFAULT 0,
    low boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site_id, item_id),
    CHECK (reserved <= received - issued - wasted)
);
CREATE INDEX stock_unannounced ON stock (site_id, item_id) WHERE version > announced_version;

-- The ledger: every physical movement, never changed, from which the levels can be worked out again.
CREATE TABLE movement (
    movement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id text NOT NULL,
    item_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('received', 'issued', 'put-back', 'wasted')),
    quantity bigint NOT NULL CHECK (quantity > 0),
    cause uuid NOT NULL,
    lot text,
    best_before date,
    moved_at timestamptz NOT NULL
);
CREATE INDEX movement_place ON movement (site_id, item_id, movement_id);
CREATE INDEX movement_cause ON movement (cause);

-- Items of which something has become free since the last allocation: short parcels that lack them are looked at again.
CREATE TABLE replenishment (
    replenishment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id text NOT NULL,
    item_id text NOT NULL
);
