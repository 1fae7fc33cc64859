"""SQL, and nothing but SQL. Lock order: referrals, then parcels, then stock, then lots; within each, by key."""

from bdcan_foodhub.store import lots, parcels, referrals, stock

__all__ = ["lots", "parcels", "referrals", "stock"]
