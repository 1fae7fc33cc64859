"""A real Kafka, a real PostgreSQL and all the processes, on one machine without containers."""
