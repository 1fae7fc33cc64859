"""A borough that plays the people, through the public APIs and topics only."""
