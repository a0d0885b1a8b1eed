"""Bodies that are too large never reach Django, whether they say their length or not."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from quarterdeck.api.bodies import BodyLimit

MB = 1 << 20


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body, as Django does, and answer its length; nothing when the client has gone."""
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(total).encode()})


def ask(blocks: int, *headers: tuple[bytes, bytes]) -> tuple[int, int, bytes]:
    """Send `blocks` of 1 MB; return how many were taken, the status and the body of the answer."""
    sent: list[MutableMapping[str, Any]] = []
    taken = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * MB, "more_body": taken < blocks}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(BodyLimit(application)({"type": "http", "headers": list(headers)}, receive, send))
    return taken, sent[0]["status"], sent[1]["body"]


def test_it_passes_on_what_is_within_the_limit() -> None:
    assert ask(16) == (16, 200, str(16 * MB).encode())


def test_it_stops_an_endless_body_at_the_limit() -> None:
    taken, status, body = ask(10_000)
    assert (taken, status) == (17, 413)
    assert b"at most 16 MB" in body


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain", b""])
def test_it_refuses_a_declared_length_unread(kind: bytes) -> None:
    headers = (b"content-type", kind), (b"content-length", str(17 * MB).encode())
    assert ask(17, *headers)[:2] == (0, 413)


def test_files_have_a_limit_of_their_own() -> None:
    headers = (b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", str(17 * MB).encode())
    assert ask(17, *headers)[:2] == (17, 200)
