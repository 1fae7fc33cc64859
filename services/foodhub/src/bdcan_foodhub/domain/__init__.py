"""Pure: what food is, what a parcel holds, what may happen to it, who gets stock first."""
