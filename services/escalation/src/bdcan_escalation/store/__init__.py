"""SQL, and nothing but SQL. Lock order: referrals, then escalations; within each, by id."""

from bdcan_escalation.store import call_backs, escalations, referrals

__all__ = ["call_backs", "escalations", "referrals"]
