-- Volunteers without an enquiry who wait to be erased: a hub took them on by itself.
ALTER TABLE erasure ADD COLUMN volunteer_ids uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX erasure_volunteers ON erasure USING gin (volunteer_ids) WHERE state = 'waiting';
