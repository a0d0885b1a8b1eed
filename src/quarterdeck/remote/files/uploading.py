"""One new file on a host, block by block."""

from __future__ import annotations

from contextlib import suppress

import asyncssh

from quarterdeck.remote.files.content import Content
from quarterdeck.remote.files.session import Progress, write


async def upload(
    client: asyncssh.SFTPClient, content: Content, path: str, mode: int, progress: Progress | None
) -> None:
    """Write a new file at `path`, which nobody else may read before it has `mode`; durable where the host can."""
    done = 0
    private = asyncssh.SFTPAttrs(permissions=0o600)
    async with client.open(path, "xb", private) as file:
        async for block in content.blocks():
            await write(file, done, block)
            done += len(block)
            if progress is not None:
                progress(done, content.size_bytes)
        await file.chmod(mode)
        with suppress(asyncssh.SFTPOpUnsupported):
            await file.fsync()
