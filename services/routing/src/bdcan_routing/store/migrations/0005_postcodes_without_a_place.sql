-- Postcodes of which a release does not say in which district or ward they lie.
ALTER TABLE gazetteer_release ADD COLUMN unplaced_count int NOT NULL DEFAULT 0;
