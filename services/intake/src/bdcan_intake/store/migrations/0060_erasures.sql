-- When whoever the referral is about was erased.
ALTER TABLE referral ADD COLUMN erased_at timestamptz;

-- A request of a person to be erased: whom it covers, and what the services have answered. Ids and codes only.
CREATE TABLE erasure (
    id uuid PRIMARY KEY,
    referral_ids uuid[] NOT NULL,
    enquiry_ids uuid[] NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'done')),
    requested_at timestamptz NOT NULL,
    erase_by timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    ended_at timestamptz,
    overdue boolean NOT NULL,
    answers jsonb NOT NULL
);
CREATE INDEX erasure_waiting ON erasure (due_at, id) WHERE state = 'waiting';
CREATE INDEX erasure_enquiries ON erasure USING gin (enquiry_ids) WHERE state = 'waiting';

-- References of erased referrals, hashed with a secret of this database: a request that is sent again is refused at every door.
CREATE TABLE erased_reference (digest bytea PRIMARY KEY, erased_at timestamptz NOT NULL);
CREATE TABLE erased_reference_secret (place int PRIMARY KEY CHECK (place = 1), secret bytea NOT NULL);

CREATE FUNCTION reference_digest(source text, reference text) RETURNS bytea LANGUAGE sql STABLE
RETURN (
    SELECT sha256(s.secret || convert_to(source || chr(10) || reference, 'UTF8')) FROM erased_reference_secret AS s
);

CREATE FUNCTION refuse_erased_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM erased_reference WHERE digest = reference_digest(NEW.source, NEW.reference)) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_erased_reference BEFORE INSERT ON referral
FOR EACH ROW WHEN (NEW.reference IS NOT NULL) EXECUTE FUNCTION refuse_erased_reference();
