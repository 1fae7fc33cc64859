"""SQL of the tables that the guarantees stand on."""
