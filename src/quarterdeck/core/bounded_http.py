"""uvicorn's HTTP/1.1 with bounds on what a stranger can hold: heads in size and time, and connections in number.

uvicorn leaves these to a proxy in front of it; Quarterdeck is made to be reached directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# nginx's and Apache's defaults are 8 KB a line; some agents send long tokens and baggage.
HEAD_BYTES = 64 << 10
HEADERS_MAX = 200
# Of a head that asks for a WebSocket: what the library that answers it takes.
UPGRADE_HEADERS_MAX = 100
UPGRADE_LINE_BYTES = 8000
# A connection that has sent no whole head by then is closed.
HEAD_SECONDS = 60.0
# A peer that does not acknowledge, or does not read its answer for so long, is gone.
UNREAD_SECONDS = 120.0
# Content that comes after the answer is dropped: so much of it, for so long.
DROPPED_BYTES = 256 << 20
DROPPED_SECONDS = 30.0
# Chunks of one byte each are six bytes on the wire; more than that for each byte of content is an attack.
_OVERHEAD = 16
# Files, the database and the other listeners need descriptors as well.
_OTHER_DESCRIPTORS = 512


class _Connections:
    """All connections of this process, whatever they speak. Of one event loop."""

    open = 0


connections = _Connections()


def connections_max() -> int:
    """Return how many connections this process may hold, so that descriptors are left for its files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 65_536 if soft == resource.RLIM_INFINITY else soft
    return max(limit // 2, limit - _OTHER_DESCRIPTORS)


def watch_peer(sock: Any) -> None:
    """Let the kernel end a TCP connection whose peer has vanished, or reads nothing."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads that are too large (431), too slow or no HTTP (400), and connections that are too many.

    What is not content (heads, trailers, the sizes of chunks) is bounded by what is; content is the application's.
    """

    _deadline: asyncio.TimerHandle | None = None
    _received_bytes = 0
    _content_bytes = 0
    _is_refused = False
    _is_whole = False
    _has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connections.open += 1
        if connections.open > connections_max():
            transport.abort()
            return
        watch_peer(transport.get_extra_info("socket"))
        self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        connections.open -= 1
        self._set_deadline(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._received_bytes += len(data)
        try:
            super().data_received(data)
        except UnicodeDecodeError:
            # A path with bytes outside ASCII is no URL (RFC 3986).
            self._refuse(b"400 Bad Request")
        if self._received_bytes - self._content_bytes > HEAD_BYTES + _OVERHEAD * self._content_bytes:
            self._refuse(b"431 Request Header Fields Too Large")

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a connection on which the peer only stopped sending, until it has its answer."""
        self._has_ended = True
        return self._is_whole and self.cycle is not None and not self.cycle.response_complete

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._received_bytes = self._content_bytes = 0
        self._is_whole = False
        self._set_deadline(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._set_deadline(None)
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES or len(self.headers) > HEADERS_MAX:
            self._refuse(b"431 Request Header Fields Too Large")
        elif not self._is_refused:
            super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Give the connection to the WebSocket's protocol, which counts it from here on."""
        self._set_deadline(None)
        if self.cycle is not None and not self.cycle.response_complete:
            # Asked behind a request that has no answer yet: it would be written between the frames.
            self._refuse(b"400 Bad Request")
        elif not self.url.isascii():
            self._refuse(b"400 Bad Request")
        elif len(self.headers) > UPGRADE_HEADERS_MAX or self._longest_line() > UPGRADE_LINE_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        else:
            super().handle_websocket_upgrade()
            connections.open -= 1
            # Nothing of what is received from here on is a head.
            self._received_bytes = self._content_bytes

    def _longest_line(self) -> int:
        return max(len(self.url), *(len(name) + len(value) for name, value in self.headers))

    def _should_upgrade_to_ws(self) -> bool:
        return not self._is_refused and super()._should_upgrade_to_ws()

    def _unsupported_upgrade_warning(self) -> None:
        """A stranger's wish for another protocol is nothing to write down: HTTP answers it."""

    def on_body(self, body: bytes) -> None:
        self._content_bytes += len(body)
        if self._is_refused:
            return
        if self.cycle.response_complete and self._content_bytes > DROPPED_BYTES:
            self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._set_deadline(None)
        if not self._is_refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_ended and not self.pipeline:
            self.transport.close()
        elif not self._is_whole:
            # Answered before the content was there: what still comes is read, so that the answer is seen, but not long.
            self._set_deadline(DROPPED_SECONDS)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    def _refuse(self, status: bytes) -> None:
        if not self._is_refused and not self.transport.is_closing():
            self._is_refused = True
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
