-- Goods of one line of a receipt, with their date: who packs takes the earliest date first, and nothing past it.
CREATE TABLE lot (
    lot_id uuid PRIMARY KEY,
    site_id text NOT NULL,
    item_id text NOT NULL,
    received_at timestamptz NOT NULL,
    quantity_left bigint NOT NULL CHECK (quantity_left >= 0),
    mark text,
    usable_until date,
    recalled boolean NOT NULL DEFAULT false
);
CREATE INDEX lot_left ON lot (site_id, item_id) WHERE quantity_left > 0;
CREATE INDEX lot_mark ON lot (site_id, item_id, mark) WHERE mark IS NOT NULL;

-- What was on the shelf before has no date that anybody checked.
INSERT INTO lot (lot_id, site_id, item_id, received_at, quantity_left)
SELECT gen_random_uuid(), site_id, item_id, now(), on_hand FROM stock WHERE on_hand > 0;

-- Lots that suppliers called back, and the parcels that may contain them.
CREATE TABLE recall (
    recall_id uuid PRIMARY KEY,
    site_id text NOT NULL,
    item_id text NOT NULL,
    lot text NOT NULL,
    reason text NOT NULL,
    recalled_at timestamptz NOT NULL,
    quantity bigint NOT NULL,
    taken bigint NOT NULL,
    parcels uuid[] NOT NULL
);

ALTER TABLE movement ADD COLUMN lot_id uuid;
