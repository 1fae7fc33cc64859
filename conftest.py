"""Every test takes its Kafka and its Postgres from one place, with two backends (BDCAN_TEST_BACKEND)."""

pytest_plugins = ["bdcan_local.fixtures"]
