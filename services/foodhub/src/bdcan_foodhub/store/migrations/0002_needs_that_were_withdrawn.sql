-- Needs that an amendment withdrew, kept so that a call that comes late asks for no parcel.
ALTER TABLE referral ADD COLUMN withdrawn_needs uuid[] NOT NULL DEFAULT '{}';
