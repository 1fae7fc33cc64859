"""Settings that every service has, read once from the environment (prefix BDCAN_) or from files of secrets.

A service subclasses ServiceSettings in its own `settings.py`; nothing else reads the environment. With
BDCAN_SECRETS_DIR set, a file named after a setting (`bdcan_database_url`) holds its value, so that no
secret has to stand in an environment or a compose file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from limits import parse as parse_rate
from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bdcan_chassis.calendar import (
    Calendar,
    make_calendar,
    parse_bank_holidays,
    parse_days,
    parse_hours,
    parse_weekdays,
    parse_zone,
)
from bdcan_chassis.clock import parse_clock


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    """Accept a text that this function can read; it raises ValueError for any other."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


Rate = Annotated[str, _read_by(parse_rate)]
"""Requests in a time, in the words of the library `limits`: `6000 per 10 second`."""


class ServiceSettings(BaseSettings):
    """The settings that every service needs."""

    model_config = SettingsConfigDict(
        env_prefix="BDCAN_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr = Field(
        description="postgresql://role:password@host:port/database of this service alone"
    )
    database_pool_size: int = Field(
        default=10, ge=2, le=100, description="connections of one process at most"
    )

    kafka_bootstrap: str = Field(description="host:port,host:port of brokers")
    kafka_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = "SCRAM-SHA-512"
    kafka_username: str
    kafka_password: SecretStr
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM of the authority that signed the brokers"
    )

    kafka_session: timedelta = Field(
        default=timedelta(seconds=30), description="a worker that is silent for so long loses its partitions"
    )

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535, description="port of the API process")
    http_connections: int = Field(
        default=500, ge=10, description="open connections of one process at most; silent ones make room"
    )
    http_head_time: timedelta = Field(
        default=timedelta(seconds=10), description="a request's headers may take so long to arrive"
    )
    http_idle_time: timedelta = Field(
        default=timedelta(seconds=15), description="a connection without a request is closed after so long"
    )
    http_body_time: timedelta = Field(
        default=timedelta(seconds=20),
        description="a body may take so long, and longer if it keeps http_body_rate",
    )
    http_body_rate: int = Field(
        default=10_000, ge=1, description="bytes a second of a body that may take longer"
    )
    http_answer_time: timedelta = Field(
        default=timedelta(seconds=30),
        description="a caller who reads nothing of an answer for so long is cut off",
    )
    http_headers: int = Field(default=100, ge=10, description="headers of one request at most")
    http_header_bytes: int = Field(
        default=32_000, ge=1_000, description="bytes of a request's headers at most"
    )
    http_body_bytes: int = Field(
        default=256_000, ge=1_000, description="bytes of a body at most, where a route says nothing else"
    )
    http_body_room: int = Field(
        default=200_000_000, ge=1_000_000, description="bytes of bodies in memory at most, in one process"
    )
    http_rate_reading: Rate = Field(default="6000 per 10 second", description="reads of one caller")
    http_rate_lists: Rate = Field(default="120 per 1 minute", description="imports of one caller")
    http_rate_writing: Rate = Field(default="6000 per 10 second", description="writes of one caller")
    http_rate_urgent: Rate = Field(
        default="10000 per 10 second", description="referrals, concerns and call-backs of one caller"
    )
    http_rate_failures: Rate = Field(
        default="300 per 1 minute", description="requests of one address without good credentials"
    )
    ops_port: int = Field(default=9000, ge=0, le=65535, description="port of a worker's health and metrics")

    jwks: str = Field(description="path or https URL of the identity provider's key set")
    oidc_issuer: str
    oidc_audience: str = "bdcan"
    api_keys_file: Path | None = Field(
        default=None, description='JSON: [{"name","sha256","scopes","hubs","sources","expires_at"}]'
    )
    revocations_file: Path | None = Field(
        default=None, description='JSON: {"tokens":[jti],"subjects":{sub: instant}}; it may be missing'
    )

    clock: Annotated[str, _read_by(parse_clock)] = "system"
    time_zone: Annotated[str, _read_by(parse_zone)] = "Europe/London"
    working_hours: Annotated[str, _read_by(parse_hours)] = "08:00-18:00"
    working_days: Annotated[str, _read_by(parse_weekdays)] = "mon tue wed thu fri"
    calling_hours: Annotated[str, _read_by(parse_hours)] = Field(
        default="09:00-20:00", description="hours of any day in which people may be rung"
    )
    bank_holidays: Annotated[str, _read_by(parse_bank_holidays)] = Field(
        default="GB-ENG", description="ISO 3166: a country, or a part of it; none"
    )
    closed_days: Annotated[str, _read_by(parse_days)] = Field(
        default="", description="more dates on which the office is closed, with blanks between them"
    )
    commit: str = Field(default="unknown", description="the commit that runs, for the metrics")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    batch_records: int = Field(default=500, ge=1, le=5000, description="records in one transaction at most")
    park_in_a_row: int = Field(
        default=50, ge=1, description="so many records parked in a row stop a consumer"
    )
    park_ratio: float = Field(
        default=0.5, gt=0, le=1, description="share of the last 1,000 records parked that stops"
    )
    inbox_retention: timedelta = Field(
        default=timedelta(days=45),
        description="must exceed the longest retention of a topic that is consumed",
    )
    retention: dict[str, timedelta] = Field(
        default={},
        description='how long a kind of record is kept, where not as docs/privacy.md says: {"notes": "P90D"}',
    )
    shown_per_hour: int = Field(
        default=120,
        ge=1,
        description="an account that is shown more people in an hour is counted by a metric and named in the log",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"),
        description="URL of an OpenTelemetry collector that takes OTLP over HTTP; empty: nothing is traced",
    )
    trace_ratio: float = Field(
        default=0.1,
        ge=0,
        le=1,
        validation_alias=AliasChoices("OTEL_TRACES_SAMPLER_ARG", "BDCAN_TRACE_RATIO", "trace_ratio"),
        description="share of the traces that is sampled",
    )
    trace_always: frozenset[str] = Field(
        default=frozenset({"safeguarding"}), description="lanes that are always sampled"
    )
    stuck_after: timedelta = Field(
        default=timedelta(seconds=60), description="lag without progress for so long ends the process"
    )

    @property
    def calendar(self) -> Calendar:
        """The local time of the borough."""
        return make_calendar(
            self.time_zone,
            self.working_hours,
            self.working_days,
            self.calling_hours,
            self.bank_holidays,
            self.closed_days,
        )

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises pydantic's ValidationError, which names each setting at fault."""
        secrets = os.environ.get("BDCAN_SECRETS_DIR")
        return cls(_secrets_dir=secrets)  # pyright: ignore[reportCallIssue] # values come from the environment
