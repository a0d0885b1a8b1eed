"""For how long somebody waits for a host that does not answer: a disk behind it may be gone, and SFTP has no limit."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from quarterdeck.remote.errors import FileFailed, Phase
from quarterdeck.remote.files.session import shown

T = TypeVar("T")
# On its way out work closes what it has open on the host, and waits for an answer to that too.
_LAST_ANSWER_SECONDS = 5.0


class Wait:
    """`seconds` are those without progress, which `moved` tells."""

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._moved_at = time.monotonic()

    def moved(self, *_progress: int) -> None:
        self._moved_at = time.monotonic()

    async def on(self, task: asyncio.Task[T]) -> T:
        """Return what comes of a task, which has ended afterwards. Raises FileFailed when the host keeps it waiting."""
        self.moved()
        try:
            while not task.done():
                left = self._moved_at + self._seconds - time.monotonic()
                if left <= 0:
                    raise self._late()
                await asyncio.wait([task], timeout=left)
            return task.result()
        finally:
            await cancelled(task)

    def _late(self) -> FileFailed:
        return FileFailed(
            _("%(path)s: the host has not answered for %(seconds)d seconds")
            % {"path": shown(self._path), "seconds": self._seconds},
            hint=_("look for a network disk that is gone"),
            phase=Phase.RUN,
        )


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait for its end."""
    # Once: by the second time it would close nothing on the host any more.
    if not task.cancelling():
        task.cancel()
    await ended(task)


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait for the end of a task that has little to do; cancelled as often as it waits for the host too long."""
    while not (await asyncio.wait([task], timeout=_LAST_ANSWER_SECONDS))[0]:
        task.cancel()
