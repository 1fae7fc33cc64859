"""The database of routing: all its SQL, and nothing else."""
