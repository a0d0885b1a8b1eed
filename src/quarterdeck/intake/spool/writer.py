"""The open segment: frames are appended by one thread and made durable together, then acknowledged.

DATA/spool/0000000000000042.open    the one that grows
DATA/spool/0000000000000041.sealed  whole, waits for the loader
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.core.errors import Unavailable
from quarterdeck.intake.spool.frames import Entry, encode, read, whole_bytes
from quarterdeck.intake.spool.numbers import Numbers, sync_directory
from quarterdeck.intake.spool.recent import Recent

log = logging.getLogger(__name__)

# Sealed at this size at the latest: what one insert takes well, in memory and in time.
SEGMENT_BYTES = 48 << 20
# So much is an insert worth its planning: a loader that has nothing else to do gets it at once.
_ENOUGH_BYTES = 24 << 20
# A quiet segment is sealed after this long; while the loader is busy it goes on growing.
SEGMENT_SECONDS = 0.5
# The same while somebody waits for what comes in.
_HURRIED_SECONDS = 0.1
# How soon a segment is looked at again that is due while the loader is busy.
_BUSY_SECONDS = 0.05
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
# The kernel takes at most 1024 pieces in one call.
_PIECES = 512


@dataclass(slots=True)
class _Waiting:
    entries: Sequence[Entry]
    size: int
    done: Future[None]
    is_noted: bool


class SpoolFull(Unavailable):
    """The spool has reached its limit, or its disk is full: senders have to wait."""


class Spool:
    """Appends entries durably. One instance for a directory; `append` may be called from any thread.

    `note(entries, failure)` is told what was kept, or not, before senders are; a repeat is not told again.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        is_repeatable: Callable[[Entry], bool],
        note: Callable[[Sequence[Entry], SpoolFull | None], None] = lambda entries, failure: None,
        *,
        gather_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.note = note
        self._max_bytes = max_bytes
        self._recent = Recent(is_repeatable)
        self._condition = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._is_closing = False
        self._pending_bytes = 0
        self._sealed_bytes = 0
        self._file = -1
        self._path = directory
        self._size = 0
        # Bytes were written behind `_size` that nobody was told of, and could not be cut off yet.
        self._is_torn = False
        self._opened_at = 0.0
        self._busy: Callable[[], bool] = lambda: False
        self._idle: Callable[[], bool] = lambda: False
        self._gather_seconds = gather_seconds
        self._hurried_until = 0.0
        self.repeated = 0
        self._lock = _locked(directory)
        self._numbers = self._recover()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def wait_while(self, *, busy: Callable[[], bool], idle: Callable[[], bool]) -> None:
        """Let the open segment grow while `busy()`: larger inserts cost the engine less for each record.

        While `idle()` it does not grow to its full size.
        """
        self._busy, self._idle = busy, idle

    def hurry(self, seconds: float) -> None:
        """Gather only for a moment within the next `seconds`: somebody waits for what comes in."""
        with self._condition:
            self._hurried_until = max(self._hurried_until, time.monotonic() + seconds)
            self._condition.notify_all()

    # What a predecessor left.

    def _recover(self) -> Numbers:
        """Cut what was never acknowledged, seal what was. Raises Unavailable."""
        try:
            for path in _segments(self.directory, ".open"):
                size = whole_bytes(path)
                if size:
                    os.truncate(path, size)
                    path.rename(path.with_suffix(".sealed"))
                else:
                    path.unlink()
            left = self.sealed()
            self._sealed_bytes = sum(path.stat().st_size for path in left)
            # Who did not see our answer to one of these sends it again now.
            for path in left:
                for entry in read(path):
                    self._recent.remember(self._recent.known([entry]), _done())
        except OSError as error:
            os.close(self._lock)
            reason = error.strerror or str(error)
            raise Unavailable(
                f"the spool in {self.directory} cannot be read: {reason}", hint="is its disk read-only, or another's?"
            ) from error
        return Numbers(self.directory, max((int(path.stem, 16) for path in left), default=0))

    # What senders' threads call.

    @property
    def used_bytes(self) -> int:
        """Bytes that wait for the engine."""
        return self._sealed_bytes + self._size + self._pending_bytes

    def append(self, entries: Sequence[Entry], *, again: bool = False) -> Future[None]:
        """Keep `entries`, all or none; the future is done when they are on disk. Raises SpoolFull at once.

        With `again` also those that were here before, and counted: dead letters which a person retries.
        """
        known = self._recent.known(entries)
        with self._condition:
            if self._is_closing:
                raise SpoolFull("the intake is stopping", hint="send again")
            fresh, earlier = (known, []) if again else self._recent.fresh(known)
            if fresh:
                earlier.append(self._enqueue([entry for entry, _digest in fresh], is_noted=not again))
                self._recent.remember(fresh, earlier[-1])
            self.repeated += sum(e.frame.records for e in entries) - sum(e.frame.records for e, _digest in fresh)
        return _all_done(earlier)

    def _enqueue(self, entries: Sequence[Entry], *, is_noted: bool) -> Future[None]:
        size = sum(len(entry.frame.content) for entry in entries)
        if self.used_bytes + size > self._max_bytes:
            raise SpoolFull(
                f"{self.used_bytes >> 20} MB wait for the telemetry engine, {self._max_bytes >> 20} MB may",
                hint="send again later; setting spool_max_mb moves the limit",
            )
        waiting = _Waiting(entries, size, _promise(), is_noted)
        self._waiting.append(waiting)
        self._pending_bytes += size
        self._condition.notify_all()
        return waiting.done

    # What the loader calls.

    def sealed(self) -> list[Path]:
        """Return the segments that wait, oldest first."""
        return _segments(self.directory, ".sealed")

    def loaded(self, path: Path) -> None:
        """Forget a segment: the engine has all of it. Raises OSError when the disk does not let it go."""
        size = path.stat().st_size
        path.unlink()
        with self._condition:
            self._sealed_bytes -= size
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        """Return when something was sealed or loaded, at the latest after `seconds`."""
        with self._condition:
            self._condition.wait(seconds)

    def close(self) -> None:
        """Write what waits, seal it and stop. Once more does nothing."""
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        self._thread.join()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # The thread that writes.

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._waiting and not self._is_closing:
                    self._condition.wait(self._pause())
                batch, self._waiting = self._waiting, []
                closing = self._is_closing and not batch
            if batch:
                self._commit(batch)
            if self._file >= 0 and (closing or self._is_due()):
                self._seal()
            if closing:
                return

    def _commit(self, batch: list[_Waiting]) -> None:
        """Write and sync everything that waits, in one go, then tell the senders."""
        failure = None
        try:
            self._ready_file()
            pieces = [piece for waiting in batch for entry in waiting.entries for piece in encode(entry)]
            self._is_torn = True
            written = _write(self._file, pieces)
            os.fdatasync(self._file)
            self._size += written
            self._is_torn = False
        except OSError as error:
            log.error("the spool cannot be written: %s", error)
            kind = "its disk is full or read-only" if error.errno in _FULL else error.strerror or str(error)
            failure = SpoolFull(f"the intake cannot keep data: {kind}", hint="free disk space; send again later")
            self._mend()
        except Exception as error:
            log.exception("BUG: the spool cannot be written")
            failure = SpoolFull(f"the intake cannot keep data: {type(error).__name__}", hint="look at its log")
            self._mend()
        self._tell(batch, failure)

    def _ready_file(self) -> None:
        """Have a file whose end is the last acknowledged byte. Raises OSError."""
        if self._file < 0:
            self._open()
        elif self._is_torn and not self._mend():
            raise OSError(errno.EROFS, "what was written in part cannot be taken back")

    def _mend(self) -> bool:
        """Take back what was written in part, of which nobody was told. False: the disk refuses, try again later."""
        if self._file < 0 or not self._is_torn:
            return True
        try:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError as error:
            log.error("the open segment cannot be cut: %s", error)
            return False
        self._is_torn = False
        return True

    def _tell(self, batch: list[_Waiting], failure: SpoolFull | None) -> None:
        with self._condition:
            self._pending_bytes -= sum(waiting.size for waiting in batch)
        for waiting in batch:
            if waiting.is_noted:
                self.note(waiting.entries, failure)
            if failure is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(failure)

    def _open(self) -> None:
        path = self.directory / f"{self._numbers.next():016x}.open"
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            # The file's name has to survive a power cut as well.
            sync_directory(self.directory)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        self._file, self._path, self._size, self._is_torn = file, path, 0, False
        self._opened_at = time.monotonic()

    def _is_due(self) -> bool:
        if self._size >= SEGMENT_BYTES:
            return True
        return (self._left_seconds() <= 0 and not self._busy()) or (self._size >= _ENOUGH_BYTES and self._idle())

    def _left_seconds(self) -> float:
        """How long the open segment goes on gathering."""
        now = time.monotonic()
        wanted = min(self._gather_seconds, _HURRIED_SECONDS) if now < self._hurried_until else self._gather_seconds
        return self._opened_at + wanted - now

    def _pause(self) -> float:
        """How long the writing thread may sleep: until the open segment is due, a little while the loader is busy."""
        if self._file < 0:
            return SEGMENT_SECONDS
        return min(max(self._left_seconds(), _BUSY_SECONDS), SEGMENT_SECONDS)

    def _seal(self) -> None:
        """Hand the open segment to the loader. Where the disk refuses it stays open, and is sealed later."""
        if not self._mend():
            return
        try:
            if self._size:
                self._path.rename(self._path.with_suffix(".sealed"))
            else:
                self._path.unlink()
        except OSError as error:
            log.error("segment %s cannot be sealed: %s", self._path.name, error)
            self._opened_at = time.monotonic()
            return
        os.close(self._file)
        with self._condition:
            self._file = -1
            self._sealed_bytes += self._size
            self._size = 0
            self._condition.notify_all()


def _locked(directory: Path) -> int:
    """Return the directory's handle, which holds the lock until it is closed. Raises Unavailable."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise Unavailable(
            f"another intake uses the spool in {directory}", hint="stop that one, or give this one its own QD_DATA"
        ) from error
    return handle


def _segments(directory: Path, suffix: str) -> list[Path]:
    """Return the segments' files in order of their numbers; what else lies there is not ours and stays."""
    return sorted(path for path in directory.glob(f"*{suffix}") if _is_number(path.stem) and path.is_file())


def _is_number(text: str) -> bool:
    return len(text) == 16 and all(letter in "0123456789abcdef" for letter in text)


def _write(file: int, pieces: list[bytes]) -> int:
    """Write all pieces at the end of the file; return how many bytes. Raises OSError."""
    total = 0
    for start in range(0, len(pieces), _PIECES):
        group = pieces[start : start + _PIECES]
        wanted = sum(map(len, group))
        done = os.writev(file, group)
        if done < wanted:
            # A short write happens on a disk that gets full; the next try tells why.
            rest = memoryview(b"".join(group))[done:]
            while rest:
                rest = rest[os.write(file, rest) :]
        total += wanted
    return total


def _promise() -> Future[None]:
    """Return a future that senders cannot cancel: what is on its way is kept although they have left."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


def _done() -> Future[None]:
    future = _promise()
    future.set_result(None)
    return future


def _all_done(futures: Sequence[Future[None]]) -> Future[None]:
    """Return a future that is done when all are, and fails with the first that fails."""
    waiting = [future for future in futures if not future.done() or future.exception() is not None]
    if not waiting:
        return _done()
    if len(waiting) == 1:
        return waiting[0]
    both, lock, left = _promise(), threading.Lock(), len(waiting)

    def count(future: Future[None]) -> None:
        nonlocal left
        with lock:
            left -= 1
            error = future.exception()
            if both.done():
                return
            if error is not None:
                both.set_exception(error)
            elif not left:
                both.set_result(None)

    for future in waiting:
        future.add_done_callback(count)
    return both
