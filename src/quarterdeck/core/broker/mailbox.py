"""Named pipes as doorbells: `DATA/run/queue/<owner>` wakes a consumer and, by having a reader, proves that it lives.

The kernel closes a pipe with its process, so a SIGKILLed consumer is found dead at once, without process ids (which
are reused, and mean nothing across containers) and without clocks. See `man 7 fifo`: opening a pipe for writing without
blocking fails with ENXIO when nobody reads it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import weakref
from pathlib import Path

_RING = b"!"
_open_mailboxes: weakref.WeakSet[Mailbox] = weakref.WeakSet()


class Mailbox:
    """The reading end of one consumer. `fd` becomes readable when something may have arrived."""

    def __init__(self, directory: Path, owner: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / owner
        # Opened before it gets its name: a pipe without a reader would pass for a dead consumer's.
        unnamed = directory / f".{owner}"
        os.mkfifo(unnamed, 0o600)
        self.fd = os.open(unnamed, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        unnamed.rename(self.path)
        _open_mailboxes.add(self)

    def ring(self) -> None:
        """Wake this consumer itself. A full pipe is a bell that already rings."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.fd, _RING)

    def wait(self, timeout_seconds: float) -> bool:
        """Block until the bell rings or the time is over; True when it rang. Silences it."""
        readable, _, _ = select.select([self.fd], [], [], max(0.0, timeout_seconds))
        if readable:
            self.silence()
        return bool(readable)

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self.fd, 4096)) == 4096:
                pass

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Close a forked child's copy: else the child would keep its dead parent's bell alive."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def is_alive(directory: Path, owner: str) -> bool:
    """True while some process reads the pipe of `owner`."""
    try:
        os.close(os.open(directory / owner, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return False
        raise
    return True


def ring_all(directory: Path) -> bool:
    """Wake every consumer; False when one of them turned out to be dead."""
    all_alive = True
    for entry in _pipes(directory):
        try:
            fd = os.open(entry, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            all_alive = all_alive and error.errno == errno.ENOENT
            continue
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(fd, _RING)
        os.close(fd)
    return all_alive


def remove_dead(directory: Path) -> None:
    """Remove the pipes that nobody reads."""
    for entry in _pipes(directory):
        if not is_alive(directory, Path(entry).name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry)  # noqa: PTH108 - a DirEntry's path


def _pipes(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.path for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []


def _forget_all() -> None:
    for mailbox in list(_open_mailboxes):
        mailbox.forget()
    _open_mailboxes.clear()


os.register_at_fork(after_in_child=_forget_all)
