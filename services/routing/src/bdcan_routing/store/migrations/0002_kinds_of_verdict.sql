-- A verdict says which kind it is. The previous release writes verdicts without it, so the table adds it.
CREATE FUNCTION assignment_verdict_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.verdict = NEW.verdict || jsonb_build_object('kind', CASE
        WHEN NEW.hub_id IS NOT NULL THEN 'to-hub'
        WHEN NEW.triage_reason IS NOT NULL THEN 'hold'
        ELSE 'out-of-area'
    END);
    RETURN NEW;
END
$$;
CREATE TRIGGER assignment_verdict_kind BEFORE INSERT OR UPDATE OF verdict ON assignment
FOR EACH ROW WHEN (NOT NEW.verdict ? 'kind') EXECUTE FUNCTION assignment_verdict_kind();

UPDATE assignment SET verdict = verdict WHERE verdict IS NOT NULL;
