-- no transaction
CREATE INDEX CONCURRENTLY resident_likeness ON resident USING gin (likeness_keys);
