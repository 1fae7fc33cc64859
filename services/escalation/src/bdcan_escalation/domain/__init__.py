"""Pure: what an escalation is, what may happen to it, and by when."""
