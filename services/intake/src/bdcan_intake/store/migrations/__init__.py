"""Plain SQL, forward only, applied in the order of the names."""
