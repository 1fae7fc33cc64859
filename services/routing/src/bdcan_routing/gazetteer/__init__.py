"""Postcode tables as files: the release of Code-Point Open that a user downloads, and the coarse one shipped here."""
