ALTER TABLE task ADD COLUMN last jsonb;

ALTER TABLE volunteer ADD COLUMN suspended boolean NOT NULL DEFAULT false;
