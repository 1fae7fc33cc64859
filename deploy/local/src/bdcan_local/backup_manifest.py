"""What a backup says of itself, and the directory that holds backups. Nothing here talks to a server.

DIRECTORY/20200324T030000Z/   one backup: base.tar.gz, pg_wal.tar.gz, backup_manifest (PostgreSQL's), secrets.tar, manifest.json
DIRECTORY/….partial/          a backup that is being made, or was broken off: the next one removes it
DIRECTORY/log/1/              PostgreSQL's log of timeline 1, as it is streamed; log/1.1/ goes on where log/1/ has lost something
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from bdcan_local.errors import HalfInitialisedError, InUseError, MachineError, PlatformError

MANIFEST = "manifest.json"
FORMAT = 1
NAME = "%Y%m%dT%H%M%SZ"
PARTIAL = ".partial"
SEGMENT_BYTES = 16 * 1024 * 1024
KEPT_FOR = timedelta(days=14)
"""How long a backup is kept: as long as the topics can tell what happened since, erasures too."""


class Position(Struct, frozen=True):
    """Up to where a consumer group had read a partition."""

    group: str
    topic: str
    partition: int
    offset: int


class Head(Struct, frozen=True):
    """The newest row of a service's audit."""

    seq: int
    hash: str


class Manifest(Struct, frozen=True):
    """A backup.

    Attributes:
        started_at, ended_at: the databases are those of `ended_at`, all five at one moment.
        release: the version of this code.
        postgres: the server's version, such as 18.6.
        system: PostgreSQL's identifier of the installation.
        timeline, start_lsn, end_lsn: the part of the server's log without which the copy is of no use.
        data_bytes: how large the unpacked data is.
        kafka_cluster: the cluster that the positions are about.
        positions: noted before the copy began, so never ahead of it.
        migrations: for each service the applied files, each with its SHA-256.
        audit_heads: for each service.
        files: SHA-256 and size of each file of the backup.
    """

    format: int
    started_at: datetime
    ended_at: datetime
    release: str
    postgres: str
    system: str
    timeline: int
    start_lsn: str
    end_lsn: str
    data_bytes: int
    kafka_cluster: str
    positions: tuple[Position, ...]
    migrations: dict[str, dict[str, str]]
    audit_heads: dict[str, Head]
    files: dict[str, tuple[str, int]]


class Backup(Struct, frozen=True):
    """A finished backup and where it is."""

    path: Path
    manifest: Manifest

    @property
    def log(self) -> dict[str, Path]:
        """The segments of the server's log of the backup's timeline."""
        return segments(self.path.parent, self.manifest.timeline)


def log_directories(directory: Path, timeline: int) -> list[Path]:
    """Where the server's log of a timeline was and is streamed to, the present one last."""
    found = [
        path for path in (directory / "log").glob("[0-9]*") if path.name.partition(".")[0] == str(timeline)
    ]
    return sorted(found, key=lambda path: int(path.suffix[1:] or 0))


def next_log_directory(directory: Path, timeline: int) -> Path:
    """Where the log of a timeline goes on after something was lost."""
    there = log_directories(directory, timeline)
    return directory / "log" / (f"{timeline}.{len(there)}" if there else f"{timeline}")


def backups(directory: Path) -> list[Backup]:
    """The finished backups of a directory, the oldest first. What cannot be read is left out: see `damaged`."""
    found = [one for _, one in _found(directory) if one is not None]
    return sorted(found, key=lambda one: one.manifest.ended_at)


def damaged(directory: Path) -> list[str]:
    """The names of backups whose manifest cannot be read."""
    return [name for name, one in _found(directory) if one is None]


def _found(directory: Path) -> Iterator[tuple[str, Backup | None]]:
    for path in sorted(directory.glob(f"*/{MANIFEST}")):
        if path.parent.suffix != PARTIAL:
            try:
                yield path.parent.name, read(path.parent)
            except PlatformError:
                yield path.parent.name, None


def read(path: Path) -> Backup:
    """One backup. Raises HalfInitialisedError where its manifest is damaged, PlatformError where it is of a later format."""
    try:
        said = (path / MANIFEST).read_bytes()
        form = msgspec.json.decode(said).get("format")
        if form != FORMAT:
            raise PlatformError(
                f"{path} is a backup of format {form}, and this release reads {FORMAT}",
                "Restore it with the release that made it.",
            )
        return Backup(path, msgspec.json.decode(said, type=Manifest))
    except (OSError, msgspec.MsgspecError, AttributeError) as error:
        raise HalfInitialisedError(
            f"{path} is no backup, or its {MANIFEST} is damaged", "Use another backup."
        ) from error


def write(path: Path, manifest: Manifest) -> None:
    """Write the manifest of a backup: last, so that what has one is whole."""
    (path / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def digests(path: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of each file of a backup, its manifest left out."""
    return {
        file.name: (_sha256(file), file.stat().st_size)
        for file in sorted(path.iterdir())
        if file.name != MANIFEST
    }


def check_files(backup: Backup) -> None:
    """Raise HalfInitialisedError where a file is missing or not as it was written."""
    found = digests(backup.path)
    wrong = sorted(name for name, said in backup.manifest.files.items() if found.get(name) != said)
    if wrong:
        raise HalfInitialisedError(
            f"{backup.path} is damaged: {', '.join(wrong)}", "Use another copy of it, or an older backup."
        )


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Nobody else makes, removes or restores backups of this directory meanwhile. Raises InUseError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise MachineError(
            f"{directory} cannot be written: {error.strerror}", "Name another directory."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InUseError(f"another command is at work in {directory}", "Wait until it has ended.") from error
    finally:
        os.close(lock)


def prune(directory: Path, now: datetime, kept_for: timedelta) -> list[str]:
    """Remove what was broken off, backups past their time (never the newest), and the log that none needs; returns their names."""
    for left in directory.glob(f"*{PARTIAL}"):
        shutil.rmtree(
            left, ignore_errors=True
        )  # PostgreSQL's program may outlive a killed backup for a moment
    *older, newest = backups(directory) or [None]
    gone = [one for one in older if one and now - one.manifest.ended_at > kept_for]
    for one in gone:
        (one.path / MANIFEST).unlink()  # first: what is half removed is no backup
        shutil.rmtree(one.path)
    if newest:
        _prune_log(directory, [one.manifest for one in older if one and one not in gone] + [newest.manifest])
    return [one.path.name for one in gone]


def segments(directory: Path, timeline: int) -> dict[str, Path]:
    """The segments of the server's log of a timeline, by name, in order. One may be there unfinished, and whole further on."""
    found: dict[str, Path] = {}
    for log in log_directories(directory, timeline):
        for file in sorted(
            log.glob(f"{timeline:08X}" + "?" * 16 + "*"), reverse=True
        ):  # the whole one comes last
            found[file.name.removesuffix(PARTIAL)] = file
    return dict(sorted(found.items()))


def segment_of(timeline: int, lsn: str) -> str:
    """The name of the segment that holds a place of the log."""
    high, low = (int(part, 16) for part in lsn.split("/"))
    return f"{timeline:08X}{high:08X}{low // SEGMENT_BYTES:08X}"


def after(segment: str) -> str:
    """The name of the segment behind this one."""
    place = int(segment[8:16], 16) * (2**32 // SEGMENT_BYTES) + int(segment[16:], 16) + 1
    high, low = divmod(place, 2**32 // SEGMENT_BYTES)
    return f"{segment[:8]}{high:08X}{low:08X}"


def now() -> datetime:
    """The real time: what a server's log and a backup go by, whatever clock the services have."""
    return datetime.now(UTC)


def _prune_log(directory: Path, kept: list[Manifest]) -> None:
    needed: dict[int, str] = {}
    for one in kept:
        first = segment_of(one.timeline, one.start_lsn)
        needed[one.timeline] = min(needed.get(one.timeline, first), first)
    for log in (directory / "log").glob("[0-9]*"):
        timeline = int(log.name.partition(".")[0])
        if timeline < min(needed):
            shutil.rmtree(log)
    for timeline, first in needed.items():
        for name, file in segments(directory, timeline).items():
            if name < first:
                file.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
