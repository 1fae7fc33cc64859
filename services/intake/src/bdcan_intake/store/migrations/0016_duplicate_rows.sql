-- The rows of a list that were taken on before, and the referral that each duplicates.
CREATE TABLE referral_import_duplicate (
    import_id uuid NOT NULL REFERENCES referral_import (id),
    line int NOT NULL,
    reference text,
    referral_id uuid NOT NULL REFERENCES referral (id),
    PRIMARY KEY (import_id, line)
);
