"""The front door: referrals in, and what became of each."""
