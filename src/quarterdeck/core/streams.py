"""Answers that are longer than memory or than patience: made in threads, sent by the event loop."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

import orjson
from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from quarterdeck.core.errors import OpsError

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread of the pool; many may run at once."""
    return await sync_to_async(call, thread_sensitive=False)(*args, **kwargs)


async def with_records(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread with a connection to the records as a request has one: a whole one, not for longer."""

    def called() -> T:
        close_old_connections()
        try:
            return call(*args, **kwargs)
        finally:
            close_old_connections()

    return await in_thread(called)


async def in_background(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what `blocks` yields, each made in a thread when the one before is sent, with the records at hand.

    Django would gather a plain iterator whole before it sends the first byte.
    """
    while (block := await with_records(next, blocks, None)) is not None:
        if block:
            yield block


def disposition(name: str) -> str:
    """Return the header Content-Disposition of a download. `name` is printable."""
    return content_disposition_header(as_attachment=True, filename=name) or "attachment"


def attachment(
    blocks: Iterator[bytes], name: str, media_type: str = "application/octet-stream", *, size_bytes: int | None = None
) -> StreamingHttpResponse:
    """Return a download of what `blocks` yield, made in threads while it is sent. `name` is printable."""
    answer = StreamingHttpResponse(in_background(blocks), content_type=media_type)
    answer["Content-Disposition"] = disposition(name)
    # Compressed, its length would be another one.
    answer["Content-Encoding"] = "identity"
    if size_bytes is not None:
        answer["Content-Length"] = str(size_bytes)
    return answer


async def gzipped(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield `blocks` as one gzip member, each block readable as soon as it is sent.

    Django makes each block a member of its own, and many clients stop at the end of the first.
    """
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    async for block in blocks:
        yield packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def server_sent(groups: AsyncIterator[Sequence[T]], shown: Callable[[T], Any]) -> StreamingHttpResponse:
    """Return server-sent events, one for each member of a group; an empty group is a sign that the stream lives.

    What goes wrong on the way is an event "problem". See https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    answer = StreamingHttpResponse(_events(groups, shown), content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    # Compressed, events would wait until a block of them is full.
    answer["Content-Encoding"] = "identity"
    return answer


async def _events(groups: AsyncIterator[Sequence[T]], shown: Callable[[T], Any]) -> AsyncIterator[bytes]:
    yield b": open\n\n"
    try:
        async for group in groups:
            yield b"".join(b"data: %b\n\n" % orjson.dumps(shown(one)) for one in group) or b": alive\n\n"
    except OpsError as error:
        problem = {"code": error.code, "detail": error.message, "hint": error.hint}
        yield b"event: problem\ndata: %b\n\n" % orjson.dumps(problem)
