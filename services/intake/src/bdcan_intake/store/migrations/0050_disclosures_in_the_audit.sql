-- Disclosures are rows of the chassis's audit. The release before writes into its own table: such a row goes there too.
INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
SELECT id, disclosed_at, caller, 'disclosed', subject_id, jsonb_build_object('purpose', purpose, 'fields', to_jsonb(fields)), reason
FROM disclosure ORDER BY disclosed_at, id;
DELETE FROM disclosure;
COMMENT ON TABLE disclosure IS 'append-only';
CREATE FUNCTION forward_disclosure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
    VALUES (NEW.id, NEW.disclosed_at, NEW.caller, 'disclosed', NEW.subject_id,
        jsonb_build_object('purpose', NEW.purpose, 'fields', to_jsonb(NEW.fields)), NEW.reason);
    RETURN NULL;
END
$$;
CREATE TRIGGER forward_disclosure BEFORE INSERT ON disclosure FOR EACH ROW EXECUTE FUNCTION forward_disclosure();
