"""What intake decides: pure functions over frozen values. No database, no HTTP, no clock."""
