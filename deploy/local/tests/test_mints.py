"""Each token that is made leaves a line, and a line that was changed, removed or moved is found."""

import json
from pathlib import Path

import pytest

from bdcan_local import chain, cli, mints
from bdcan_local.secrets_store import SecretsStore


@pytest.fixture
def minted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    SecretsStore(tmp_path / "secrets").prepare()
    for name in ("desk", "hub-3", "picker"):
        assert cli.main(["token", "--as", name, "--root", str(tmp_path)]) == 0
    token = capsys.readouterr().out.splitlines()[0]
    path = tmp_path / "secrets" / mints.FILE
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def test_each_token_leaves_a_line(minted: Path) -> None:
    lines = [json.loads(line) for line in minted.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert lines[1]["hubs"] == ["hub-3"]
    assert chain.verify(minted) == (3, None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: [lines[0], lines[1].replace("hub-3", "hub-4"), lines[2]], "row 2 was changed"),
        (lambda lines: [lines[0], lines[2]], "row 2 is missing or moved"),
        (lambda lines: [lines[0], lines[2], lines[1]], "row 2 is missing or moved"),
        (lambda lines: [lines[0], lines[1][:-9], lines[2]], "row 2 cannot be read"),
    ],
)
def test_broken_line_is_named(minted: Path, change, fault: str) -> None:
    minted.write_text("\n".join(change(minted.read_text().splitlines())) + "\n")
    assert chain.verify(minted)[1] == fault


def test_no_file_is_well(tmp_path: Path) -> None:
    assert chain.verify(tmp_path / "none") == (0, None)
