-- How receipts name a referral, whether its sender told of a safeguarding need, and after how many tries its calls were given up.
-- The sender of a referral from before this has no name for it here, and is told nothing more.
ALTER TABLE referral
    ADD COLUMN told_reference text,
    ADD COLUMN guarded boolean NOT NULL DEFAULT false,
    ADD COLUMN unreached_after int NOT NULL DEFAULT 0;
