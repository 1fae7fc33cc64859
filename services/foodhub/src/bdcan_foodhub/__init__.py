"""Foodhub makes parcels for food needs, and keeps the stock for them."""
