"""Stored files on a worker's disk, for as long as it works on a shard."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar
from uuid import uuid4

from django.conf import settings
from django.db import connections

from quarterdeck.jobs.files import storing

T = TypeVar("T")
# More that write at the same time would only wait for each other.
_WRITERS = 2


class WorkFiles:
    """Used on the loop of the connections; `close` in the thread that made it, when nothing works any more."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._owned: tuple[Path, TextIO] | None = None
        self._making = asyncio.Lock()
        self._writers = asyncio.Semaphore(_WRITERS)

    async def directory(self) -> Path:
        """Return a directory of the shard's own, made when it is first asked for."""
        async with self._making:
            if self._owned is None:
                self._owned = await asyncio.to_thread(_make)
        return self._owned[0]

    async def fetch(self, sha256: str) -> Path:
        """Return a stored file on this disk; not to be written to. Raises NotFound."""
        path = await self.directory() / sha256
        if not path.exists():
            await _in_thread(lambda: storing.copy(sha256, path))
        return path

    async def keep(self, path: Path, sha256: str, size_bytes: int) -> int:
        """Store a file of this disk; return its id. Raises BadInput when there is no room."""

        def put() -> int:
            with path.open("rb") as file:
                return storing.put(file, sha256, size_bytes, by=self._by).pk

        async with self._writers:
            return await _in_thread(put)

    def close(self) -> None:
        if self._owned is not None:
            _remove(*self._owned)


async def _in_thread(call: Callable[[], T]) -> T:
    def closing() -> T:
        # A thread of the pool may not come back to its connection for hours.
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


def _make() -> tuple[Path, TextIO]:
    """Make a directory with its lock, and remove those whose workers were killed.

    A process id would say nothing where workers of several containers share the disk.
    """
    above = Path(settings.DATA) / "run-files"
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = above / uuid4().hex
    # One at a time, so that nobody finds a directory that is made and not locked yet.
    with above.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        left = [(other, lock) for other in above.iterdir() if (lock := _locked(other)) is not None]
        path.mkdir(mode=0o700)
        mine = _locked(path)
    for other, lock in left:
        _remove(other, lock)
    if mine is None:
        raise AssertionError("BUG: somebody else locked a new directory")
    return path, mine


def _locked(path: Path) -> TextIO | None:
    """Lock a directory for as long as the file is open; None when somebody has it, or it has gone."""
    try:
        file = (path / "lock").open("w")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _remove(path: Path, lock: TextIO) -> None:
    with lock:
        shutil.rmtree(path, ignore_errors=True)
