"""HTTP: the API app and what every API has."""
