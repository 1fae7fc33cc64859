-- Where a volunteer is, how they get about, and when they have time. A row of the release before says nothing about it.
ALTER TABLE volunteer
    ADD COLUMN sector text,
    ADD COLUMN travels text,
    ADD COLUMN radius_m integer,
    ADD COLUMN languages text[] NOT NULL DEFAULT '{}',
    ADD COLUMN availability jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN on_duty boolean NOT NULL DEFAULT true,
    ADD COLUMN weekly_offers integer NOT NULL DEFAULT 7,
    ADD COLUMN cautions text[] NOT NULL DEFAULT '{}';
ALTER TABLE volunteer_person ADD COLUMN postcode text;
