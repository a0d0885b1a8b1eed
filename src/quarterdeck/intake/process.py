"""The intake process. It answers health; listeners join by adding their path to `ROUTES`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from quarterdeck.core.processes import remove_run_file, write_run_file
from quarterdeck.core.serving import listen, serve, url_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


async def answer(send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _healthz(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, {"status": "ok", "process": "intake"})


async def _readyz(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, {"status": "ready", "process": "intake"})


ROUTES: dict[str, Handler] = {"/healthz": _healthz, "/readyz": _readyz}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application: one handler per path."""
    handler = ROUTES.get(scope["path"])
    if handler is None:
        await answer(send, 404, {"status": "not found", "paths": sorted(ROUTES)})
    else:
        await handler(scope, receive, send)


def run(data: Path, address: str) -> None:
    """Serve the intake of the instance in `data` on `address` ("host:port") until SIGTERM; block."""
    listener = listen(address, "QD_INTAKE_HTTP=HOST:PORT")
    try:
        serve(application, listener, lambda: _announce(data, address))
    finally:
        remove_run_file(data, "intake")


def _announce(data: Path, address: str) -> None:
    write_run_file(data, "intake", address=url_of(address))
