-- What a hub can do in a day, when it is open, and how to reach it. A hub that was closed for good does not open again.
ALTER TABLE hub ADD COLUMN capacity jsonb DEFAULT '{}' NOT NULL;
ALTER TABLE hub ADD COLUMN hours jsonb DEFAULT '[]' NOT NULL;
ALTER TABLE hub ADD COLUMN contacts jsonb;
ALTER TABLE hub ADD COLUMN closed_at timestamptz;

-- What each hub was given on each local day, by kind: calls (one for a referral), and needs by code.
CREATE TABLE hub_load (
    on_day date NOT NULL,
    hub_id text NOT NULL,
    kind text NOT NULL,
    given integer NOT NULL,
    PRIMARY KEY (on_day, hub_id, kind)
);

-- What people changed of the hubs.
CREATE TABLE hub_change (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub_id text NOT NULL,
    version integer NOT NULL,
    change text NOT NULL,
    caller text NOT NULL,
    reason text,
    hub jsonb NOT NULL,
    change_id uuid DEFAULT gen_random_uuid() NOT NULL, -- what it is about: of no person, so an erasure finds none
    changed_at timestamptz NOT NULL
);
CREATE INDEX hub_change_hub ON hub_change (hub_id, seq);
COMMENT ON TABLE hub_change IS 'append-only: changed_at, change_id';

-- Open work that a paused hub hands over.
CREATE TABLE hub_handover (
    handover_id uuid PRIMARY KEY,
    hub_id text NOT NULL,
    to_hub_id text,
    reason text NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    moved integer NOT NULL,
    ended_at timestamptz
);
CREATE INDEX hub_handover_open ON hub_handover (handover_id) WHERE ended_at IS NULL;

-- Who decides about a held referral, and until when nobody else does.
ALTER TABLE assignment ADD COLUMN claimed_by text;
ALTER TABLE assignment ADD COLUMN claim_expires_at timestamptz;
