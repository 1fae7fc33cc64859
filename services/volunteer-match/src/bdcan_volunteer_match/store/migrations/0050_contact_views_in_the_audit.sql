-- Views of contacts are rows of the chassis's audit. The release before writes into its own table: such a row goes there too.
INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
SELECT gen_random_uuid(), viewed_at, caller, 'contact-shown', volunteer_id, '{}', reason FROM contact_view ORDER BY seq;
DELETE FROM contact_view;
COMMENT ON TABLE contact_view IS 'append-only';
CREATE FUNCTION forward_contact_view() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
    VALUES (gen_random_uuid(), NEW.viewed_at, NEW.caller, 'contact-shown', NEW.volunteer_id, '{}', NEW.reason);
    RETURN NULL;
END
$$;
CREATE TRIGGER forward_contact_view BEFORE INSERT ON contact_view FOR EACH ROW EXECUTE FUNCTION forward_contact_view();
