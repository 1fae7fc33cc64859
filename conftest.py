"""Every test takes its Kafka and its Postgres from one place, with two backends (BDCAN_TEST_BACKEND)."""

import pytest

pytest.register_assert_rewrite("bdcan_chassis.testing.conformance")
pytest_plugins = ["bdcan_local.fixtures"]
