"""SQL, and nothing but SQL. Lock order: referrals, then parcels, then stock; within each, by key."""

from bdcan_foodhub.store import parcels, referrals, stock

__all__ = ["parcels", "referrals", "stock"]
