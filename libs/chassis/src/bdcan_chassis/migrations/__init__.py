"""SQL of the chassis's own tables."""
