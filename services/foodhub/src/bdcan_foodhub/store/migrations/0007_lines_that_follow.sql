-- Food does not wait for what is no food: such lines follow the parcel, and the site owes them until a time.
ALTER TABLE parcel ADD COLUMN back_order jsonb NOT NULL DEFAULT '[]';
ALTER TABLE parcel ADD COLUMN top_up jsonb NOT NULL DEFAULT '[]';
ALTER TABLE parcel ADD COLUMN sent jsonb NOT NULL DEFAULT '[]';
ALTER TABLE parcel ADD COLUMN owed_items text[] NOT NULL DEFAULT '{}';
ALTER TABLE parcel ADD COLUMN owed_due_at timestamptz;
