"""The open segment: frames are appended by one thread and made durable together, then acknowledged.

DATA/spool/0000000000000042.open    the one that grows
DATA/spool/0000000000000041.sealed  whole, waits for the loader
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.core.errors import Unavailable
from quarterdeck.intake.spool.frames import Entry, encode, read, whole_bytes

log = logging.getLogger(__name__)

# Sealed at this size at the latest: what one insert takes well, in memory and in time.
SEGMENT_BYTES = 48 << 20
# A quiet segment is sealed after this long; while the loader is busy it goes on growing.
SEGMENT_SECONDS = 0.5
# How many of the newest bodies are remembered, to know one that is sent again.
_REMEMBERED = 65_536
_REMEMBERED_SECONDS = 900.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(slots=True)
class _Waiting:
    entries: Sequence[Entry]
    done: Future[None]


class SpoolFull(Unavailable):
    """The spool has reached its limit, or its disk is full: senders have to wait."""


class Spool:
    """Appends entries durably. One instance for a directory; `append` may be called from any thread."""

    def __init__(self, directory: Path, max_bytes: int, is_repeatable: Callable[[Entry], bool]) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self._max_bytes = max_bytes
        self._is_repeatable = is_repeatable
        self._recent: OrderedDict[bytes, tuple[float, Future[None]]] = OrderedDict()
        self._condition = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._is_closing = False
        self._pending_bytes = 0
        self._sealed_bytes = 0
        self._file = -1
        self._size = 0
        self._opened_at = 0.0
        self._busy: Callable[[], bool] = lambda: False
        self.repeated = 0
        self._number = self._recover()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def wait_while(self, busy: Callable[[], bool]) -> None:
        """Let the open segment grow while `busy()`: larger inserts cost the engine less for each record."""
        self._busy = busy

    # What a predecessor left.

    def _recover(self) -> int:
        """Cut what was never acknowledged, seal what was; return the number of the next segment."""
        for path in sorted(self.directory.glob("*.open")):
            size = whole_bytes(path)
            if size:
                os.truncate(path, size)
                path.rename(path.with_suffix(".sealed"))
            else:
                path.unlink()
        left = self.sealed()
        numbers = [int(path.stem, 16) for path in left]
        self._sealed_bytes = sum(path.stat().st_size for path in left)
        # Who did not see our answer to one of these sends it again now.
        for path in left:
            self._remember(read(path), _done())
        # A number is never used again, not even that of a segment which is loaded and gone: it is the insert's token.
        return max([*numbers, int(time.time() * 1000)]) + 1

    # What senders' threads call.

    @property
    def used_bytes(self) -> int:
        """Bytes that wait for the engine."""
        return self._sealed_bytes + self._size + self._pending_bytes

    def append(self, entries: Sequence[Entry], *, again: bool = False) -> Future[None]:
        """Keep `entries`, all or none; the future is done when they are on disk. Raises SpoolFull at once.

        With `again` also those that were here before: dead letters which a person retries.
        """
        with self._condition:
            if self._is_closing:
                raise SpoolFull("the intake is stopping", hint="send again")
            fresh, earlier = (list(entries), None) if again else self._without_repeated(entries)
            if not fresh:
                return earlier or _done()
            size = sum(len(entry.frame.content) for entry in fresh)
            if self.used_bytes + size > self._max_bytes:
                raise SpoolFull(
                    f"{self.used_bytes >> 20} MB wait for the telemetry engine, {self._max_bytes >> 20} MB may",
                    hint="send again later; setting spool_max_mb moves the limit",
                )
            waiting = _Waiting(fresh, Future())
            self._remember(fresh, waiting.done)
            self._waiting.append(waiting)
            self._pending_bytes += size
            self._condition.notify_all()
            return waiting.done

    def _without_repeated(self, entries: Sequence[Entry]) -> tuple[list[Entry], Future[None] | None]:
        """Leave out what was sent before; return the future of one that is still on its way as well."""
        fresh: list[Entry] = []
        earlier: Future[None] | None = None
        for entry in entries:
            known = self._recent.get(_digest(entry)) if self._is_repeatable(entry) else None
            if known is None or time.monotonic() - known[0] > _REMEMBERED_SECONDS or _failed(known[1]):
                fresh.append(entry)
            else:
                earlier = known[1]
                self.repeated += entry.frame.records
        return fresh, earlier

    def _remember(self, entries: Iterable[Entry], done: Future[None]) -> None:
        for entry in entries:
            if self._is_repeatable(entry):
                self._recent[_digest(entry)] = (time.monotonic(), done)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    # What the loader calls.

    def sealed(self) -> list[Path]:
        """Return the segments that wait, oldest first."""
        return sorted(self.directory.glob("*.sealed"))

    def loaded(self, path: Path) -> None:
        """Forget a segment: the engine has all of it."""
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
        """Write what waits, seal it and stop."""
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        self._thread.join()

    # The thread that writes.

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._waiting and not self._is_closing:
                    self._condition.wait(SEGMENT_SECONDS / 2)
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
        try:
            if self._file < 0:
                self._open()
            pieces = [piece for waiting in batch for entry in waiting.entries for piece in encode(entry)]
            written = _write(self._file, pieces)
            os.fdatasync(self._file)
            self._size += written
            failure = None
        except OSError as error:
            failure = self._undo(error)
        self._tell(batch, failure)

    def _undo(self, error: OSError) -> SpoolFull:
        """Take back what was written in part; nobody was told that it is kept."""
        log.error("the spool cannot be written: %s", error)
        if self._file >= 0:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        kind = "its disk is full or read-only" if error.errno in _FULL else error.strerror or str(error)
        return SpoolFull(f"the intake cannot keep data: {kind}", hint="free disk space; send again later")

    def _tell(self, batch: list[_Waiting], failure: SpoolFull | None) -> None:
        with self._condition:
            self._pending_bytes -= sum(len(e.frame.content) for waiting in batch for e in waiting.entries)
        for waiting in batch:
            if failure is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(failure)

    def _open(self) -> None:
        path = self.directory / f"{self._number:016x}.open"
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._number += 1
        self._size = 0
        self._opened_at = time.monotonic()
        # The file's name has to survive a power cut as well.
        _sync_directory(self.directory)

    def _is_due(self) -> bool:
        if self._size >= SEGMENT_BYTES:
            return True
        return time.monotonic() - self._opened_at >= SEGMENT_SECONDS and not self._busy()

    def _seal(self) -> None:
        os.close(self._file)
        self._file = -1
        path = self.directory / f"{self._number - 1:016x}.open"
        with self._condition:
            if self._size:
                path.rename(path.with_suffix(".sealed"))
            else:
                path.unlink()
            self._sealed_bytes += self._size
            self._size = 0
            self._condition.notify_all()


def _write(file: int, pieces: list[bytes]) -> int:
    """Write all pieces at the end of the file; return how many bytes."""
    total = 0
    for start in range(0, len(pieces), 512):
        group = pieces[start : start + 512]
        wanted = sum(map(len, group))
        done = os.writev(file, group)
        if done < wanted:
            # A short write happens on a disk that gets full; the second try tells why.
            os.write(file, b"".join(group)[done:])
        total += wanted
    return total


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(entry: Entry) -> bytes:
    head = f"{entry.protocol}\0{entry.frame.stream}\0{entry.key}\0".encode()
    return hashlib.blake2b(
        entry.frame.content, digest_size=16, key=hashlib.md5(head, usedforsecurity=False).digest()
    ).digest()


def _failed(future: Future[None]) -> bool:
    return future.done() and future.exception() is not None


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future
