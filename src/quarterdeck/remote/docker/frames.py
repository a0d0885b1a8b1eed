"""The output of containers: stdout and stderr in one body, told apart by a header of eight bytes.

See https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpcore

from quarterdeck.remote.docker.engine import told
from quarterdeck.remote.sessions import Chunk, Stream

_HEADER_BYTES = 8
_STREAMS = {0: Stream.STDOUT, 1: Stream.STDOUT, 2: Stream.STDERR}


class Frames:
    """Feeds on the body's bytes as they come; a long frame is handed on in parts and never gathered."""

    def __init__(self, *, has_terminal: bool) -> None:
        self._has_terminal = has_terminal
        self._header = b""
        self._left = 0
        self._stream = Stream.STDOUT

    def feed(self, data: bytes) -> list[Chunk]:
        if self._has_terminal:
            return [Chunk(Stream.STDOUT, data)] if data else []
        found = []
        while data:
            if not self._left:
                need = _HEADER_BYTES - len(self._header)
                self._header, data = self._header + data[:need], data[need:]
                if len(self._header) < _HEADER_BYTES:
                    break
                self._stream = _STREAMS.get(self._header[0], Stream.STDERR)
                self._left, self._header = int.from_bytes(self._header[4:]), b""
                continue
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            found.append(Chunk(self._stream, part))
        return found


async def chunks(place: str, response: httpcore.Response, *, has_terminal: bool) -> AsyncGenerator[Chunk, None]:
    frames = Frames(has_terminal=has_terminal)
    with told(place):
        async with aclosing(response.aiter_stream()) as parts:  # type: ignore[type-var]
            async for part in parts:
                for chunk in frames.feed(part):
                    yield chunk
