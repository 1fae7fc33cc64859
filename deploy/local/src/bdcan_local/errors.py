"""What can go wrong on this machine, said so that a person knows what to do next.

PlatformError            the base: `what` is wrong, `todo` says what to do, `exit_code` ends the command
├── DownloadError        a jar cannot be had, or is not the one that was locked
├── HalfInitialisedError data that was complete once is not any more
├── NotReadyError        a process did not become ready in time, or ended before
├── InUseError           another runner, or a foreign program, has what we need
└── MachineError         this machine cannot run it: platform, disk space, rights
"""


class PlatformError(Exception):
    """A fault with one line of what is wrong and one of what to do."""

    exit_code = 1

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo


class DownloadError(PlatformError):
    """A jar cannot be downloaded, or differs from its locked checksum."""

    exit_code = 3


class HalfInitialisedError(PlatformError):
    """A data directory that was once complete has lost something: never repaired silently."""

    exit_code = 4


class NotReadyError(PlatformError):
    """A process ended, or was not ready within its time limit."""

    exit_code = 5


class InUseError(PlatformError):
    """The root directory or a port belongs to someone else at the moment."""

    exit_code = 6


class MachineError(PlatformError):
    """The machine lacks something: a supported platform, disk space, a right."""

    exit_code = 7
