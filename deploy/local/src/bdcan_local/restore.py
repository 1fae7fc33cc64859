"""`bdcan restore`: puts the five databases back as they were at a moment. The next start of the system finishes it.

The system must not run. First every doubt is looked at, then all is unpacked beside what is there, then one rename puts it in its
place. A note among the secrets says how far it has come. A start refuses a restore that was broken off, and the same
command begins it again. PostgreSQL then replays its log by itself and begins a new timeline, and before any service starts,
`restore_finish` sets the consumers back to before the backup.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from bdcan_chassis.migrate import migrations_in
from bdcan_local import backup_manifest as manifests
from bdcan_local.backup_manifest import Backup, Manifest, Position
from bdcan_local.errors import HalfInitialisedError, MachineError, PlatformError
from bdcan_local.postgres import SUPERUSER
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.secrets_store import SecretsStore

Say = Callable[[str], None]

NOTE = "restored.json"
"""Among the secrets: a restore that is not finished."""

_MAJOR = 18
_SPARE_BYTES = 300 * 2**20
_OURS = ("recovery_", "restore_command", "hot_standby")
_HOW = """
restore_command = 'false'
recovery_target_timeline = 'current'
recovery_target_action = 'promote'
hot_standby = off
"""


class Note(Struct, frozen=True):
    """How far a restore has come. `files`: data may be half in place. `positions`: consumers must be set back."""

    state: Literal["files", "positions"]
    backup: str
    ended_at: datetime
    to: datetime | None
    kafka_cluster: str
    positions: tuple[Position, ...]


@dataclass(frozen=True)
class Where:
    """Where the restored data goes: PostgreSQL's data directory, and what puts another one in its place."""

    data: Path
    take: Callable[[Path], Path | None]
    secrets: SecretsStore


def restore(
    where: Where, directory: Path, to: datetime | None, *, without_log: bool, even_if_old: bool, say: Say
) -> Backup:
    """Put back the newest backup of a directory (or that very backup), and PostgreSQL's log up to a moment.

    Raises:
        PlatformError: it would not end well; nothing was changed.
    """
    backup = _chosen(directory, to)
    with manifests.locked(backup.path.parent):
        log = [] if without_log else _log_behind(backup)
        _check(backup, where, log, to, even_if_old=even_if_old)
        note = _note(backup.path.name, backup.manifest, to)
        made = where.data.with_name("data.restoring")
        shutil.rmtree(made, ignore_errors=True)
        _keep_note(where.secrets, note)
        _unpack(backup, made, log, to)
        _unpack_secrets(backup, where.secrets)
        aside = where.take(made)
        _keep_note(where.secrets, msgspec.structs.replace(note, state="positions"))
    say(f"restored {backup.path.name}, made with release {backup.manifest.release}: the five databases are")
    until = f"as at {to:%d %B %Y %H:%M:%S %Z}" if to else "as the server's log says last"
    say(
        until
        if log
        else f"as at {backup.manifest.ended_at:%d %B %Y %H:%M:%S %Z}: what came later is not there"
    )
    if aside:
        say(f"What was there before is in {aside}. It has personal data: delete it when all is well.")
    return backup


def unfinished(secrets: SecretsStore) -> Note | None:
    """The restore that a start must finish. Raises HalfInitialisedError where one was broken off."""
    path = secrets.path(NOTE)
    if not path.exists():
        return None
    try:
        note = msgspec.json.decode(path.read_bytes(), type=Note)
    except msgspec.MsgspecError as error:
        raise HalfInitialisedError(f"{path} is damaged", "Run `bdcan restore` again.") from error
    if note.state == "files":
        raise HalfInitialisedError(
            f"the restore of {note.backup} was broken off", "Run the same `bdcan restore` again."
        )
    return note


def _was_broken_off(secrets: SecretsStore) -> bool:
    try:
        unfinished(secrets)
    except HalfInitialisedError:
        return True
    return False


def code_migrations() -> dict[str, dict[str, str]]:
    """The migrations that this code has for each service, in order, each with the SHA-256 of its text."""
    return {
        service: {
            migration.name: migration.digest
            for package in ("bdcan_chassis", f"{own_name(service)}.store")
            for migration in migrations_in(package)
        }
        for service in SERVICES
    }


def strangers(stored: dict[str, str], code: dict[str, str]) -> list[str]:
    """The stored migrations that the code does not have, or has with another text."""
    return sorted(name for name, digest in stored.items() if code.get(name) != digest)


def _chosen(directory: Path, to: datetime | None) -> Backup:
    alone = (directory / manifests.MANIFEST).exists()
    found = [manifests.read(directory)] if alone else manifests.backups(directory)
    fits = [one for one in found if to is None or one.manifest.ended_at <= to]
    broken = [] if alone else manifests.damaged(directory)
    if broken and (not fits or max(broken) > fits[-1].path.name):
        raise HalfInitialisedError(
            f"{directory / max(broken)} is damaged, or of another format",
            "To restore an older one, name it: bdcan restore DIRECTORY/NAME.",
        )
    if not found:
        raise PlatformError(
            f"there is no backup in {directory}", "Name the directory that `bdcan backup` wrote."
        )
    if not fits:
        raise PlatformError(
            f"no backup is from before {to}: the oldest is from {found[0].manifest.ended_at}",
            "Name a later moment, or another directory.",
        )
    return fits[-1]


def _check(backup: Backup, where: Where, log: list[Path], to: datetime | None, *, even_if_old: bool) -> None:
    said = backup.manifest
    if int(said.postgres.partition(".")[0]) != _MAJOR:
        raise PlatformError(
            f"{backup.path.name} is from PostgreSQL {said.postgres}, and this release runs {_MAJOR}",
            "Restore it with the release that made it, and upgrade then.",
        )
    present = _system_of(where.data)
    if present not in {None, said.system} and not _was_broken_off(where.secrets):
        raise PlatformError(
            f"{backup.path.name} is a backup of another system ({said.system}, here is {present})",
            f"Name the right backup, or an empty --root. To replace this system for good, move {where.data} away first.",
        )
    code = code_migrations()
    for service, stored in said.migrations.items():
        if unknown := strangers(stored, code.get(service, {})):
            raise PlatformError(
                f"the backup's {service} has migrations that this release does not have: {', '.join(unknown)}",
                f"Restore it with release {said.release} or a later one.",
            )
    if manifests.now() - said.ended_at > manifests.KEPT_FOR and not even_if_old:
        raise PlatformError(
            f"{backup.path.name} is older than {manifests.KEPT_FOR.days} days: Kafka has forgotten what happened since, erasures too",
            "Add --even-if-old, and ask again for each erasure since then (`bdcan erase`).",
        )
    if to is not None:
        _check_log_reaches(backup, log, to)
    needed = said.data_bytes + len(log) * manifests.SEGMENT_BYTES + _SPARE_BYTES
    where.data.parent.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(where.data.parent).free) < needed:
        raise MachineError(
            f"{needed // 2**20} MB are needed at {where.data.parent}, and {free // 2**20} MB are free",
            "Free some space: what is there now stays until all is well.",
        )
    manifests.check_files(backup)


def _check_log_reaches(backup: Backup, log: list[Path], to: datetime) -> None:
    last = datetime.fromtimestamp(log[-1].stat().st_mtime, to.tzinfo) if log else backup.manifest.ended_at
    if to > last:
        raise PlatformError(
            f"the server's log of {backup.path.name} ends at {last:%Y-%m-%dT%H:%M:%S%z}",
            "Name an earlier moment, or leave --to out to restore all that there is.",
        )


def _log_behind(backup: Backup) -> list[Path]:
    """The segments from the backup's end on. Raises PlatformError where one is missing among them."""
    there = backup.log
    name = manifests.segment_of(backup.manifest.timeline, backup.manifest.end_lsn)
    found: list[Path] = []
    while name in there:
        found.append(there[name])
        name = manifests.after(name)
    if later := [one for one in there if one > name]:
        raise PlatformError(
            f"the server's log has a gap: {name} is missing, and {min(later)} is there",
            "Put the file back into the log, or restore to the end of the backup with --without-log.",
        )
    return found


def _unpack(backup: Backup, made: Path, log: list[Path], to: datetime | None) -> None:
    made.mkdir(mode=0o700)
    for archive, folder in (("base.tar.gz", made), ("pg_wal.tar.gz", made / "pg_wal")):
        with tarfile.open(backup.path / archive) as packed:
            packed.extractall(folder, filter="data")
    for segment in log:
        shutil.copyfile(segment, made / "pg_wal" / segment.name.removesuffix(manifests.PARTIAL))
    for history in backup.path.parent.glob(
        "log/*/*.history"
    ):  # so that it begins a timeline that was never there
        shutil.copyfile(history, made / "pg_wal" / history.name)
    settings = made / "postgresql.auto.conf"
    kept = [line for line in settings.read_text("utf-8").splitlines() if not line.startswith(_OURS)]
    if to is not None:
        target = f"recovery_target_time = '{to.isoformat(sep=' ')}'\n"
    else:
        target = "" if log else "recovery_target = 'immediate'\n"
    settings.write_text("\n".join(kept) + _HOW + target, encoding="utf-8")
    (made / "recovery.signal").touch()


def _unpack_secrets(backup: Backup, secrets: SecretsStore) -> None:
    """Put back what is missing. What is there is newer: nobody who was shut out since is let in again."""
    folder = secrets.path()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    of_data = f"postgres/{SUPERUSER}"  # the restored data knows this password, and no other
    with tarfile.open(backup.path / "secrets.tar") as packed:
        wanted = [one for one in packed if one.name == of_data or not (folder / one.name).exists()]
        packed.extractall(folder, [one for one in wanted if one.name != NOTE], filter="data")


def _system_of(data: Path) -> str | None:
    """PostgreSQL's identifier of the installation whose data this is; None where there is none."""
    try:
        control = (data / "global" / "pg_control").read_bytes()
    except OSError:
        return None
    return str(int.from_bytes(control[:8], "little"))


def _note(name: str, said: Manifest, to: datetime | None) -> Note:
    return Note("files", name, said.ended_at, to, said.kafka_cluster, said.positions)


def _keep_note(secrets: SecretsStore, note: Note) -> None:
    path = secrets.path(NOTE)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.encode(note))
    fresh.replace(path)
