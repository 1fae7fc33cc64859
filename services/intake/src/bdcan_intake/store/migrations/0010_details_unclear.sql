-- PERSONAL: what could not be read, as it was typed, by the name of the field: {"birth_date": "31/02/1950"}.
ALTER TABLE resident ADD COLUMN unclear jsonb NOT NULL DEFAULT '{}';
