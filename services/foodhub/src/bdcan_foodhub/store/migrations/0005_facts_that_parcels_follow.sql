-- What the desk and the callers said of a resident, and what a person must see to where a parcel could not follow.
ALTER TABLE referral ADD COLUMN amendment_version int NOT NULL DEFAULT 0;
ALTER TABLE referral ADD COLUMN desk jsonb;
ALTER TABLE referral ADD COLUMN call jsonb;
ALTER TABLE parcel ADD COLUMN flags text[] NOT NULL DEFAULT '{}';
ALTER TABLE parcel ADD COLUMN decided text[] NOT NULL DEFAULT '{}';
ALTER TABLE parcel ADD COLUMN added text[] NOT NULL DEFAULT '{}';
ALTER TABLE parcel ADD COLUMN notices jsonb NOT NULL DEFAULT '[]';
ALTER TABLE parcel ADD COLUMN noticed boolean NOT NULL DEFAULT false;
ALTER TABLE parcel ADD COLUMN departure jsonb;

-- What is known of residents whose parcels were made before: the newest parcel's copy, as the word of its call.
INSERT INTO referral (referral_id, call)
SELECT DISTINCT ON (referral_id) referral_id, jsonb_build_object(
    'at', requested_at, 'priority', priority, 'diets', to_jsonb(diets), 'household', household, 'household_at', requested_at)
FROM parcel ORDER BY referral_id, requested_at DESC
ON CONFLICT (referral_id) DO UPDATE SET call = excluded.call;
