ALTER TABLE welfare_call ADD COLUMN address_version integer NOT NULL DEFAULT 0;
