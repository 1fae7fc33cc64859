"""The hubs as configuration: read from a file when the database has none yet."""
