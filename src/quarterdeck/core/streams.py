"""Answers that are longer than memory or than patience: made in threads, sent by the event loop."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread of the pool; many may run at once."""
    return await sync_to_async(call, thread_sensitive=False)(*args, **kwargs)


async def in_background(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what `blocks` yields, each made in a thread when the one before is sent.

    Django would gather a plain iterator whole before it sends the first byte.
    """
    while (block := await in_thread(next, blocks, None)) is not None:
        if block:
            yield block


async def gzipped(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield `blocks` as one gzip member, each block readable as soon as it is sent.

    Django makes each block a member of its own, and many clients stop at the end of the first.
    """
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    async for block in blocks:
        yield packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
