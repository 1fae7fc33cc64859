"""Clocks that can be scaled, and settings that report their faults."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import ValidationError

from bdcan_chassis.clock import ManualClock, ScaledClock, SystemClock, parse_clock
from bdcan_chassis.database import backoff_seconds
from bdcan_chassis.settings import ServiceSettings

NEEDED = {
    "BDCAN_DATABASE_URL": "postgresql://role:secret-1@localhost/db",
    "BDCAN_KAFKA_BOOTSTRAP": "localhost:9092",
    "BDCAN_KAFKA_USERNAME": "toy",
    "BDCAN_KAFKA_PASSWORD": "secret-2",
    "BDCAN_JWKS": "jwks.json",
    "BDCAN_OIDC_ISSUER": "https://issuer.example.org",
}


def test_system_clock_gives_now_in_utc() -> None:
    clock = parse_clock("system")
    assert isinstance(clock, SystemClock)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.real_seconds(timedelta(minutes=2)) == 120


def test_scaled_clock_runs_faster() -> None:
    clock = parse_clock(f"scaled:2020-03-23T09:00:00+01:00:{time.time() - 10}:60")
    assert isinstance(clock, ScaledClock)
    since = clock.now() - datetime(2020, 3, 23, 8, tzinfo=UTC)
    assert timedelta(minutes=10) <= since < timedelta(minutes=15)
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.real_seconds(timedelta(minutes=2)) == 2


@for_all(st.floats(0.01, 1e5), st.floats(0, 1e6))
def test_two_processes_with_equal_figures_agree_on_the_time(speed: float, ago: float) -> None:
    text = f"scaled:2020-03-23T09:00:00+00:00:{time.time() - ago!r}:{speed!r}"
    first, second = parse_clock(text).now(), parse_clock(text).now()
    assert timedelta(0) <= second - first <= timedelta(seconds=speed * 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sytem",
        "scaled",
        "scaled:",
        "scaled:2020-03-23T09:00:00:0:1",
        "scaled:2020-03-23T09:00:00+00:00:0:0",
        "scaled:2020-03-23T09:00:00+00:00:0:-1",
        "scaled:2020-03-23T09:00:00+00:00:now:1",
        "scaled:yesterday+00:00:0:1",
        "scaled:2020-03-23T09:00:00+00:00:0:nan",
        "scaled:2020-03-23T09:00:00+00:00:inf:1",
    ],
)
def test_text_that_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_clock(text)


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2020, 3, 23, tzinfo=UTC))
    before = clock.now()
    clock.advance(timedelta(hours=1))
    assert clock.now() - before == timedelta(hours=1)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.delenv("BDCAN_SECRETS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_loaded_secrets_are_not_shown(environment) -> None:
    settings = ServiceSettings.load()
    assert settings.database_url.get_secret_value() == NEEDED["BDCAN_DATABASE_URL"]
    assert "secret-1" not in repr(settings)
    assert "secret-2" not in repr(settings)


def test_settings_make_the_calendar(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BDCAN_TIME_ZONE", "Europe/Dublin")
    environment.setenv("BDCAN_BANK_HOLIDAYS", "IE")
    environment.setenv("BDCAN_WORKING_DAYS", "mon tue")
    environment.setenv("BDCAN_CLOSED_DAYS", "2026-12-28 2026-12-29")
    calendar = ServiceSettings.load().calendar
    assert calendar.zone.key == "Europe/Dublin"
    assert not calendar.is_working_day(date(2026, 3, 17))
    assert not calendar.is_working_day(date(2026, 12, 29))
    assert calendar.is_working_day(date(2026, 12, 22))
    assert not calendar.is_working_day(date(2026, 12, 23))


def test_secret_files_fill_in_what_the_environment_lacks(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "bdcan_database_url").write_text("postgresql://from-a-file\n")
    (secrets / "bdcan_kafka_password").write_text("from a file")
    environment.setenv("BDCAN_SECRETS_DIR", str(secrets))
    environment.delenv("BDCAN_DATABASE_URL")
    settings = ServiceSettings.load()
    assert settings.database_url.get_secret_value() == "postgresql://from-a-file"
    assert settings.kafka_password.get_secret_value() == "secret-2"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BDCAN_KAFKA_PROTOCOL", "PLAINTEXT"),
        ("BDCAN_KAFKA_MECHANISM", "PLAIN"),
        ("BDCAN_DATABASE_POOL_SIZE", "1"),
        ("BDCAN_HTTP_PORT", "70000"),
        ("BDCAN_CLOCK", "sundial"),
        ("BDCAN_TIME_ZONE", "Europe/Barking"),
        ("BDCAN_TIME_ZONE", "../../etc/passwd"),
        ("BDCAN_TIME_ZONE", ""),
        ("BDCAN_WORKING_HOURS", "18:00-08:00"),
        ("BDCAN_WORKING_HOURS", "office hours"),
        ("BDCAN_WORKING_DAYS", "mon-fri"),
        ("BDCAN_WORKING_DAYS", " "),
        ("BDCAN_CALLING_HOURS", "09:00"),
        ("BDCAN_CALLING_HOURS", "09:00+01:00-20:00"),
        ("BDCAN_BANK_HOLIDAYS", "Albion"),
        ("BDCAN_BANK_HOLIDAYS", "GB-XX"),
        ("BDCAN_CLOSED_DAYS", "24.12.2026"),
        ("BDCAN_INBOX_RETENTION", "for ever"),
        ("BDCAN_PARK_RATIO", "0"),
        ("BDCAN_LOG_LEVEL", "chatty"),
    ],
)
def test_wrong_value_names_its_setting(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        ServiceSettings.load()
    assert [f"BDCAN_{'_'.join(map(str, e['loc'])).upper()}" for e in caught.value.errors()] == [name]
    assert f"input_value='{value}'" not in str(caught.value)


@for_all(st.integers(0, 10_000), st.floats(0.1, 100))
def test_back_off_starts_short_and_has_a_maximum(attempt: int, most: float) -> None:
    assert 0.05 <= backoff_seconds(attempt, most) <= max(0.05, min(most, 0.1 * 2 ** min(attempt, 20)) + 1e-9)
