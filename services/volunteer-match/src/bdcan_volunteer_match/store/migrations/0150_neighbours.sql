-- The hubs next to a hub, as routing says.
ALTER TABLE hub ADD COLUMN neighbours text[] DEFAULT '{}' NOT NULL;
