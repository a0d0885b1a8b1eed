"""The first layer of the web process: bodies over the limit are refused before Django writes them to disk.

Django reads a request's whole body into a temporary file before any middleware runs, so that a body without an end
would fill the disk. See https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from django.conf import settings

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def _limit_bytes(headers: dict[bytes, bytes]) -> int:
    is_upload = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
    return int(settings.QD["upload_max_mb" if is_upload else "request_max_mb"]) << 20


async def _refuse(send: Send, limit_bytes: int) -> None:
    content = {
        "type": "urn:quarterdeck:problem:too_large",
        "title": "Content Too Large",
        "status": 413,
        "code": "too_large",
        "detail": f"the body is too large, at most {limit_bytes >> 20} MB are taken",
        "hint": "send it in parts, or raise request_max_mb or upload_max_mb",
    }
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(content)})


class BodyLimit:
    """Wraps an ASGI application."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit_bytes = _limit_bytes(headers)
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit_bytes:
            await _refuse(send, limit_bytes)
            return
        await self._count(scope, receive, send, limit_bytes)

    async def _count(self, scope: Scope, receive: Receive, send: Send, limit_bytes: int) -> None:
        """Pass the body on as it comes; once it is too long, tell the application that the client has gone."""
        seen_bytes, is_cut = 0, False

        async def counted() -> Message:
            nonlocal seen_bytes, is_cut
            message = await receive()
            seen_bytes += len(message.get("body", b""))
            if seen_bytes > limit_bytes:
                is_cut = True
                return {"type": "http.disconnect"}
            return message

        await self.app(scope, counted, send)
        if is_cut:
            await _refuse(send, limit_bytes)
