-- What callers know of a referral has a column for each fact, and so have the volunteers who let a task go.
-- The previous release reads and writes `circumstances`, `asked` and `revision`. Two triggers keep the old columns and
-- the new ones alike: each release writes only its own. Drop all of it when no older release runs.
ALTER TABLE welfare_call
    ADD COLUMN needs jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN household jsonb,
    ADD COLUMN diets text[] NOT NULL DEFAULT '{}',
    ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
    ALTER COLUMN circumstances SET DEFAULT '{}',
    ALTER COLUMN revision SET DEFAULT 1;
ALTER TABLE task
    ADD COLUMN asked_ids uuid[] NOT NULL DEFAULT '{}',
    ALTER COLUMN asked SET DEFAULT '',
    ALTER COLUMN revision SET DEFAULT 1;

CREATE FUNCTION welfare_call_from_circumstances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.needs := (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'need_id', need -> 0, 'code', need -> 1, 'open', need -> 2,
            'said_at', NEW.circumstances -> 'said' -> (need ->> 0)
        ) ORDER BY place), '[]')
        FROM jsonb_array_elements(NEW.circumstances -> 'needs') WITH ORDINALITY AS n (need, place)
    );
    NEW.household := CASE WHEN jsonb_typeof(NEW.circumstances -> 'household') = 'array' THEN jsonb_build_object(
        'adults', NEW.circumstances -> 'household' -> 0, 'children', NEW.circumstances -> 'household' -> 1,
        'infants', NEW.circumstances -> 'household' -> 2
    ) END;
    NEW.diets := ARRAY(SELECT jsonb_array_elements_text(NEW.circumstances -> 'diets'));
    NEW.flags := ARRAY(SELECT jsonb_array_elements_text(NEW.circumstances -> 'flags'));
    RETURN NEW;
END $$;

CREATE FUNCTION welfare_call_to_circumstances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.circumstances := (
        SELECT jsonb_build_object(
            'needs', coalesce(jsonb_agg(
                jsonb_build_array(need -> 'need_id', need -> 'code', need -> 'open') ORDER BY place
            ), '[]'),
            'said', coalesce(
                jsonb_object_agg(need ->> 'need_id', need -> 'said_at') FILTER (WHERE need ->> 'said_at' IS NOT NULL), '{}'
            ),
            'household', CASE WHEN NEW.household IS NOT NULL THEN jsonb_build_array(
                NEW.household -> 'adults', NEW.household -> 'children', NEW.household -> 'infants'
            ) END,
            'diets', to_jsonb(NEW.diets), 'flags', to_jsonb(NEW.flags)
        )
        FROM jsonb_array_elements(NEW.needs) WITH ORDINALITY AS n (need, place)
    );
    RETURN NEW;
END $$;

CREATE FUNCTION task_from_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.asked_ids := string_to_array(NEW.asked, ',')::uuid[];
    RETURN NEW;
END $$;

CREATE FUNCTION task_to_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.asked := array_to_string(NEW.asked_ids, ',');
    RETURN NEW;
END $$;

CREATE TRIGGER previous_release_inserts BEFORE INSERT ON welfare_call
    FOR EACH ROW WHEN (NEW.circumstances <> '{}') EXECUTE FUNCTION welfare_call_from_circumstances();
CREATE TRIGGER previous_release_updates BEFORE UPDATE OF circumstances ON welfare_call
    FOR EACH ROW EXECUTE FUNCTION welfare_call_from_circumstances();
CREATE TRIGGER this_release_inserts BEFORE INSERT ON welfare_call
    FOR EACH ROW WHEN (NEW.circumstances = '{}') EXECUTE FUNCTION welfare_call_to_circumstances();
CREATE TRIGGER this_release_updates BEFORE UPDATE OF needs, household, diets, flags ON welfare_call
    FOR EACH ROW EXECUTE FUNCTION welfare_call_to_circumstances();
-- A new task has asked nobody, so only updates matter.
CREATE TRIGGER previous_release_updates BEFORE UPDATE OF asked ON task
    FOR EACH ROW EXECUTE FUNCTION task_from_asked();
CREATE TRIGGER this_release_updates BEFORE UPDATE OF asked_ids ON task
    FOR EACH ROW EXECUTE FUNCTION task_to_asked();

UPDATE welfare_call SET circumstances = circumstances;
UPDATE task SET asked = asked WHERE asked <> '';

-- When a row was changed last: times go on from there, whichever process goes on with it.
ALTER TABLE volunteer ADD COLUMN changed_at timestamptz;
