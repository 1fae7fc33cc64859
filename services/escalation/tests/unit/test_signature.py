"""Which signatures of call-backs are accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bdcan_chassis.http import credentials
from bdcan_chassis.http.credentials import watch_secrets
from bdcan_escalation.signature import is_genuine
from bdcan_simulator.council import sign

NOW = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)
SECRET, BODY, TOLERANCE = "a secret", b'{"event":"accepted"}', timedelta(minutes=5)


def believed(header: str | None, body: bytes = BODY, now: datetime = NOW) -> bool:
    return is_genuine(header, body, (SECRET.encode(), b"old"), now, TOLERANCE)


def test_fresh_signature_of_the_council_is_accepted():
    assert believed(sign(SECRET, BODY, NOW.timestamp()))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_signature_with_a_distant_time_is_refused(minutes: int):
    assert not believed(sign(SECRET, BODY, (NOW + timedelta(minutes=minutes)).timestamp()))


def test_signature_of_a_changed_body_is_refused():
    assert not believed(sign(SECRET, BODY, NOW.timestamp()), BODY + b" ")


def test_signature_with_a_changed_time_is_refused():
    header = sign(SECRET, BODY, (NOW - timedelta(hours=1)).timestamp())
    fresh = f"t={int(NOW.timestamp())},{header.partition(',')[2]}"
    assert not believed(fresh)


def test_signature_with_another_secret_is_refused():
    assert not believed(sign("another", BODY, NOW.timestamp()))


@pytest.mark.parametrize(
    "header", [None, "", "t=1", "v1=00", "t=x,v1=" + "0" * 64, "t=1,v1=" + "g" * 64, "t=1,v1=" + "0" * 63]
)
def test_unreadable_signature_is_refused(header: str | None):
    assert not believed(header)


def signed(*secrets: str) -> str:
    headers = [sign(secret, BODY, NOW.timestamp()).partition(",") for secret in secrets]
    return ",".join((headers[0][0], *(signature for _, _, signature in headers)))


@pytest.mark.parametrize(
    "secrets", [("old", SECRET), (SECRET, "old"), ("old",), ("another", "old"), ("another", SECRET, "third")]
)
def test_one_right_signature_of_several_is_enough(secrets: tuple[str, ...]):
    assert believed(signed(*secrets))


def test_other_schemes_blanks_and_capitals_are_read():
    time, _, signature = sign(SECRET, BODY, NOW.timestamp()).partition(",")
    assert believed(f"{signature}, v0=abc, {time}")
    assert believed(f"{time},v1={signature.removeprefix('v1=').upper()}")


def test_only_wrong_signatures_are_refused():
    assert not believed(signed("another", "third"))
    assert not believed(signed("another") + ",v0=" + "0" * 64)


def test_second_time_is_refused():
    header = sign(SECRET, BODY, NOW.timestamp())
    assert not believed(f"{header},t=1")


def test_hundred_signatures_are_refused():
    assert not believed(signed(*["another"] * 100, SECRET))


def test_a_secret_is_rolled_by_replacing_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOOK_SECONDS", 0.0)
    file = tmp_path / "secrets"
    file.write_text("old\n")
    secrets = watch_secrets("BDCAN_COUNCIL_CALLBACK_SECRETS_FILE", file, (b"never",))
    assert secrets.get() == (b"old",)
    for text, believed in (
        ("new\nold\n", (b"new", b"old")),
        (" \n", (b"new", b"old")),
        ("new", (b"new",)),
    ):
        fresh = tmp_path / "fresh"
        fresh.write_text(text)
        fresh.replace(file)
        assert secrets.get() == believed
