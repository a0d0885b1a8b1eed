"""Answers that are longer than memory or than patience: made in threads, sent by the event loop."""

from __future__ import annotations

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
