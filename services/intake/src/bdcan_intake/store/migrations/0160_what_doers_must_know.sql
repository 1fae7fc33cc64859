-- What whoever does a task must know, in words: of a need, or of a referral for every visit.
CREATE TABLE instruction (
    subject_id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    author text NOT NULL,
    written_at timestamptz NOT NULL,
    what text,
    access text,
    say text
);
CREATE INDEX instruction_referral ON instruction (referral_id);
