"""Stored files on a worker's disk, for as long as it works on a shard."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import psutil
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
        self._path: Path | None = None
        self._writers = asyncio.Semaphore(_WRITERS)

    def directory(self) -> Path:
        """Return a directory of the shard's own, made when it is first asked for."""
        if self._path is None:
            above = Path(settings.DATA) / "run-files"
            above.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_leftovers(above)
            self._path = above / f"{os.getpid()}-{uuid4().hex}"
            self._path.mkdir(mode=0o700)
        return self._path

    async def fetch(self, sha256: str) -> Path:
        """Return a stored file on this disk; not to be written to. Raises NotFound."""
        path = self.directory() / sha256
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
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


async def _in_thread(call: Callable[[], T]) -> T:
    def closing() -> T:
        # A thread of the pool may not come back to its connection for hours.
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


def _remove_leftovers(above: Path) -> None:
    """Remove what workers left that were killed."""
    for path in above.iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
