-- The references of before. `reference_key` tells those that the trigger has hashed already.
UPDATE referral
SET reference_key = reference_digest(source, coalesce(reference, past_reference)),
    reference = shown_reference(source, reference, told_reference),
    past_reference = shown_reference(source, past_reference, told_reference)
WHERE reference_key IS NULL AND (reference IS NOT NULL OR past_reference IS NOT NULL);
