-- Who saw or did what, and why: one chain of rows, in which each row's hash covers the row before it.
CREATE TABLE chassis.audit (
    seq bigint PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    act text NOT NULL,
    subject_id uuid NOT NULL,
    detail jsonb NOT NULL,
    reason text NOT NULL,
    reason_salt uuid,
    reason_digest bytea NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
COMMENT ON TABLE chassis.audit IS 'append-only';
CREATE INDEX audit_subject ON chassis.audit (subject_id, seq);
CREATE INDEX audit_at ON chassis.audit (at);

-- The database numbers and hashes the rows, one transaction after the other: whoever adds a row cannot choose its place.
CREATE FUNCTION chassis.chain_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    field text;
    covered bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(7089900983620495732);
    SELECT a.seq + 1, a.hash INTO NEW.seq, NEW.previous_hash FROM chassis.audit AS a ORDER BY a.seq DESC LIMIT 1;
    IF NOT FOUND THEN
        NEW.seq := 1;
        NEW.previous_hash := '';
    END IF;
    -- the chain holds the digest of the reason: its text can be erased, and nobody can guess it from the digest
    NEW.reason_salt := gen_random_uuid();
    NEW.reason_digest := sha256(uuid_send(NEW.reason_salt) || convert_to(NEW.reason, 'UTF8'));
    covered := NEW.previous_hash;
    FOREACH field IN ARRAY ARRAY[
        NEW.seq::text, NEW.id::text, (extract(epoch FROM NEW.at) * 1000000)::bigint::text, NEW.actor, NEW.act,
        NEW.subject_id::text, NEW.detail::text, encode(NEW.reason_digest, 'hex')
    ] LOOP
        covered := covered || convert_to(octet_length(field) || ':' || field, 'UTF8');
    END LOOP;
    NEW.hash := sha256(covered);
    RETURN NEW;
END
$$;
CREATE TRIGGER chain_audit BEFORE INSERT ON chassis.audit FOR EACH ROW EXECUTE FUNCTION chassis.chain_audit();

-- Deletes the oldest rows, up to the first one that is not older than `before`. A new row says which; returns how many.
-- The service may call this, so it is no way to hide what happened lately: rows of the last 90 days stay, whatever it asks.
CREATE FUNCTION chassis.expire_audit(before timestamptz, now_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    kept_from bigint;
    gone bigint;
    last_hash bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(7089900983620495732);
    SELECT coalesce(min(a.seq), (SELECT max(b.seq) + 1 FROM chassis.audit AS b)) INTO kept_from
    FROM chassis.audit AS a WHERE a.at >= least(before, now() - interval '90 days');
    SELECT a.hash INTO last_hash FROM chassis.audit AS a WHERE a.seq = kept_from - 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT count(*) INTO gone FROM chassis.audit AS a WHERE a.seq < kept_from;
    -- first the new row: it follows the last one, even where all of them go
    INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
    VALUES (gen_random_uuid(), now_at, 'retention', 'audit-expired', gen_random_uuid(),
        jsonb_build_object('rows', gone, 'last_seq', kept_from - 1, 'last_hash', encode(last_hash, 'hex'), 'before', before), '');
    DELETE FROM chassis.audit AS a WHERE a.seq < kept_from;
    RETURN gone;
END
$$;

-- Erases why people looked at some subjects: a reason is free text, and may name somebody. A new row says which rows.
CREATE FUNCTION chassis.erase_audit_reasons(subject_ids uuid[], now_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    erased bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(7089900983620495732);
    WITH gone AS (
        UPDATE chassis.audit AS a SET reason = 'erased', reason_salt = NULL
        WHERE a.subject_id = ANY (subject_ids) AND a.reason <> '' AND a.reason_salt IS NOT NULL RETURNING a.seq
    )
    SELECT array_agg(g.seq ORDER BY g.seq) INTO erased FROM gone AS g;
    IF erased IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
    VALUES (gen_random_uuid(), now_at, 'erasure', 'reasons-erased', gen_random_uuid(),
        jsonb_build_object('rows', to_jsonb(erased)), '');
    RETURN cardinality(erased);
END
$$;

-- The release before writes into its own table: such a row goes to the chain instead. Drop the table with the next release.
INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
SELECT gen_random_uuid(), acted_at, actor, 'dead-letter-' || replace(act, ' ', '-'), dead_letter_id, '{}', reason
FROM chassis.dead_letter_audit ORDER BY seq;
DELETE FROM chassis.dead_letter_audit;
COMMENT ON TABLE chassis.dead_letter_audit IS 'append-only';
CREATE FUNCTION chassis.forward_dead_letter_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
    VALUES (gen_random_uuid(), NEW.acted_at, NEW.actor, 'dead-letter-' || replace(NEW.act, ' ', '-'), NEW.dead_letter_id,
        '{}', NEW.reason);
    RETURN NULL;
END
$$;
CREATE TRIGGER forward_dead_letter_audit BEFORE INSERT ON chassis.dead_letter_audit
    FOR EACH ROW EXECUTE FUNCTION chassis.forward_dead_letter_audit();
