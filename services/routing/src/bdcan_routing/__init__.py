"""Assigns each referral to the locality hub of its ward."""
