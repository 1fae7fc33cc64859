-- Open referrals from before 0080 get a name for receipts: the hash of their reference, which names nobody. Their senders hear
-- how they go on. One with a safeguarding need is left out, because nobody noted whether its sender told of that need.
UPDATE referral AS r
SET told_reference = CASE
    WHEN r.reference IS NULL THEN r.id::text
    ELSE 'sha256:' || left(encode(sha256(convert_to(r.source || ':' || r.reference, 'UTF8')), 'hex'), 32)
END
WHERE r.told_reference IS NULL AND r.erased_at IS NULL AND r.state <> 'closed'
    AND NOT EXISTS (SELECT FROM need AS n WHERE n.referral_id = r.id AND n.lane = 'safeguarding');
