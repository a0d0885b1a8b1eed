"""uvicorn's WebSockets with bounds on what a stranger can hold: time, unread answers, pieces of a message.

uvicorn has three implementations. This is the one on the protocol of `websockets` without its own input and output:
the older one on its deprecated server is going away, and `wsproto` has seen one release since 2022.
See https://websockets.readthedocs.io/en/stable/howto/sansio.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from quarterdeck.core.bounded_http import HEAD_SECONDS, connections

# Keys, a paste into a terminal; what is longer goes over HTTP.
MESSAGE_BYTES = 256 << 10
# A message may come in pieces; pieces without content cost memory as well.
PIECES_MAX = 1000
PING_SECONDS = 20.0
# A reader on a slow line first reads what is on its way to him, then answers the ping behind it.
PONG_SECONDS = 60.0

log = logging.getLogger("quarterdeck.websocket")
# uvicorn would write each address with its query, in which people search for anything.
log.setLevel(logging.WARNING)


class BoundedSocket(WebSocketsSansIOProtocol):
    """Counts with the connections of `BoundedHttp`, from which it takes over one that is to become a WebSocket."""

    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connections.open += 1
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        connections.open -= 1
        self._set_no_deadline()
        super().connection_lost(exc)

    def start_keepalive(self) -> None:
        """The application has taken it: from here on pings tell whether somebody is there."""
        self._set_no_deadline()
        super().start_keepalive()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # Answered; uvicorn would write down that the application forgot it.
            self.handshake_complete = True

    def handle_ping(self) -> None:
        # One who asks for pongs and does not read them would fill our memory.
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < PIECES_MAX:
            super().handle_cont(event)
        else:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # What waits for one who is gone is not kept.
        self.transport.abort()

    def _set_no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self.transport.abort()
