"""Injects each fault into a running system and says when the right alert fires, what else does, and when it is over."""
