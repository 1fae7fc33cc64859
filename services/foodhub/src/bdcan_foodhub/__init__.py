"""Turns food needs into parcels: stock, reservation, pick, pack."""
