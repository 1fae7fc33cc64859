-- A request is known again by a hash of its source and its reference, made with the secret of this database. `reference` holds what
-- may be shown: the sender's reference, or an open hash of it where that could be somebody's name or number (`told_reference`).
ALTER TABLE referral ADD COLUMN reference_key bytea;

INSERT INTO erased_reference_secret (place, secret)
VALUES (1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) ON CONFLICT DO NOTHING;

CREATE FUNCTION shown_reference(source text, reference text, told text) RETURNS text LANGUAGE sql STABLE
RETURN CASE WHEN reference IS NOT NULL THEN coalesce(
    told, 'sha256:' || left(encode(sha256(convert_to(source || ':' || reference, 'UTF8')), 'hex'), 32)
) END;

-- The one place that all doors share, those of the release before too: what could name somebody never reaches the table.
CREATE FUNCTION keep_reference_hashed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.reference_key := reference_digest(NEW.source, NEW.reference);
    IF NEW.reference_key IS NULL THEN
        INSERT INTO erased_reference_secret (place, secret)
        VALUES (1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) ON CONFLICT DO NOTHING;
        NEW.reference_key := reference_digest(NEW.source, NEW.reference);
    END IF;
    NEW.reference := shown_reference(NEW.source, NEW.reference, NEW.told_reference);
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_reference_hashed BEFORE INSERT ON referral
FOR EACH ROW WHEN (NEW.reference IS NOT NULL) EXECUTE FUNCTION keep_reference_hashed();

-- Triggers run by their names: this one finds the hash that the other one has made.
CREATE OR REPLACE FUNCTION refuse_erased_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM erased_reference WHERE digest = NEW.reference_key) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
