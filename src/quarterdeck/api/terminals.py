"""A terminal's WebSocket: `GET /api/v1/terminals/{id}/stream?columns=80&rows=24`, for the browser it was opened for.

It was opened by a form with its token against forgery, waits for a minute, and is given once: to who opened it, on one
of our pages. What goes over it is in `jobs.terminals.serving`.
"""

from __future__ import annotations

from quarterdeck.api.sockets import Socket, route
from quarterdeck.jobs.terminals.serving import Serving, size_of


async def stream(socket: Socket, session_id: int) -> None:
    actor = await socket.identify()
    asked = socket.request.GET
    size = size_of(asked.get("columns", "80"), asked.get("rows", "24"))
    await socket.accept()
    serving = Serving(actor, session_id, size, socket.send, lambda: socket.is_stopped)
    await socket.while_open(serving.run(), heard=serving.hear)


routes = [route("api/v1/terminals/<int:session_id>/stream", stream)]
