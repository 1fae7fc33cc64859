-- Takes away rows of a history, or what one column of them says. The comment of a history names the column of the time and the column
-- of whom a row is about: `append-only: decided_at, referral_id; forgets reference`. A row goes when it is 30 days old, or when a
-- person is to be erased whom it is about. A new row of the audit says how many went.
CREATE FUNCTION chassis.end_history(of_table regclass, places tid[], forgets text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    said text[] := regexp_match(obj_description(of_table, 'pg_class'), '^append-only: (\w+), (\w+)(?:; forgets (\w+))?$');
    condition text;
    gone bigint;
BEGIN
    IF said IS NULL OR (forgets <> '' AND forgets IS DISTINCT FROM said[3]) THEN
        RAISE insufficient_privilege USING MESSAGE = 'this is no history, or its rows keep this column';
    END IF;
    condition := format('t.ctid = ANY ($1) AND (t.%I < now() - interval ''30 days'' OR EXISTS ('
        'SELECT FROM chassis.erasure AS e WHERE e.subject_id = t.%I))', said[1], said[2]);
    IF forgets = '' THEN
        EXECUTE format('DELETE FROM %s AS t WHERE %s', of_table, condition) USING places;
    ELSE
        EXECUTE format('UPDATE %s AS t SET %I = NULL WHERE t.%2$I IS NOT NULL AND %s', of_table, forgets, condition) USING places;
    END IF;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
        VALUES (gen_random_uuid(), now(), 'retention', 'history-ended', gen_random_uuid(),
            jsonb_build_object('table', (SELECT relname FROM pg_class WHERE oid = of_table), 'rows', gone), '');
    END IF;
    RETURN gone;
END
$$;
