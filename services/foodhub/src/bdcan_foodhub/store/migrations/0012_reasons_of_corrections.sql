-- squawk-ignore-file require-concurrent-index-creation
-- Why a person or a rule corrected the books, as a code. No row has one yet, so the index is built at once.
ALTER TABLE movement ADD COLUMN reason text;
CREATE INDEX movement_reason ON movement (movement_id) WHERE reason IS NOT NULL;
