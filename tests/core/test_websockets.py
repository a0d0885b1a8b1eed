"""WebSockets as browsers, programs and attackers open them: each has its answer, and its place is free afterwards."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.lab.parts import wait_until
from tests.lab.serving import served
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from quarterdeck.core import bounded_http, bounded_socket
from quarterdeck.core.bounded_http import connections

pytestmark = pytest.mark.xdist_group("websockets")
HEAD = (
    b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
lost = threading.Event()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Echoes; /flood sends without end, /never answers no handshake, HTTP gets "here"."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"here"})
        return
    if scope["path"] == "/never":
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    await send({"type": "websocket.accept"})
    try:
        await (_flood(send) if scope["path"] == "/flood" else _echo(receive, send))
    finally:
        lost.set()


async def _flood(send: Any) -> None:
    while True:
        await send({"type": "websocket.send", "text": "x" * 60_000})


async def _echo(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text") or "bytes"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    # Servers of other tests may have ended with somebody connected.
    connections.open = 0
    with served(application) as found:
        yield found


@pytest.fixture(autouse=True)
def _every_place_is_free_afterwards(port: int) -> Iterator[None]:
    wait_until(lambda: connections.open == 0, "the connections of the test before")
    lost.clear()
    yield
    wait_until(lambda: connections.open == 0, "the places of all connections", seconds=20)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def opened(port: int, path: str = "/echo", **more: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}{path}", open_timeout=20, close_timeout=5, proxy=None, **more)


def raw(port: int, content: bytes) -> bytes:
    """Return the first that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(content)
        with contextlib.suppress(ConnectionResetError):
            return client.recv(65_536)
    return b""


def test_a_websocket_is_one_connection_and_none_when_it_is_closed(port: int) -> None:
    with opened(port) as one, opened(port) as other:
        one.send("a")
        other.send("ü" * 30_000)
        assert (one.recv(10), other.recv(10)) == ("a", "ü" * 30_000)
        assert connections.open == 2
        assert not one.protocol.extensions


def test_one_that_breaks_off_gives_its_place_back(port: int) -> None:
    with opened(port) as one:
        one.socket.shutdown(socket.SHUT_RDWR)
        assert lost.wait(20)


def test_too_many_connections_are_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(port) as one:
        monkeypatch.setattr(bounded_http, "connections_max", lambda: 1)
        assert raw(port, HEAD + b"\r\n") == b""
        one.send("still")
        assert one.recv(10) == "still"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (HEAD.replace(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"") + b"\r\n", 400),
        (HEAD.replace(b"Version: 13", b"Version: 8") + b"\r\n", 400),
        (HEAD.replace(b"GET", b"POST") + b"\r\n", 405),
        (HEAD.replace(b"/echo", b"/\xff") + b"\r\n", 400),
        (HEAD + b"Cookie: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"x%d: y\r\n" % number for number in range(150)) + b"\r\n", 431),
        (HEAD + b"Cookie: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (HEAD.replace(b"websocket", b"h2c") + b"\r\n", 200),
    ],
)
def test_a_handshake_that_cannot_be_is_answered(port: int, content: bytes, status: int) -> None:
    assert raw(port, content).startswith(b"HTTP/1.1 %d" % status)


def test_a_handshake_that_nobody_answers_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_socket, "HEAD_SECONDS", 0.3)
    assert raw(port, HEAD.replace(b"/echo", b"/never") + b"\r\n") == b""


def test_a_message_that_is_too_long_closes_with_its_code(port: int) -> None:
    with opened(port) as one:
        one.send("x" * (bounded_socket.MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def _frame(opcode: Opcode, data: bytes, *, is_last: bool) -> bytes:
    return Frame(opcode, data, fin=is_last).serialize(mask=True)


def _is_cut_off(one: ClientConnection, piece: bytes, times: int) -> bool:
    try:
        for _ in range(times):
            one.socket.sendall(piece)
    except OSError:
        return True
    return False


def test_pieces_without_content_have_an_end(port: int) -> None:
    with opened(port) as one:
        one.socket.sendall(_frame(Opcode.TEXT, b"", is_last=False))
        _is_cut_off(one, _frame(Opcode.CONT, b"", is_last=False), bounded_socket.PIECES_MAX + 1)
        assert lost.wait(20)


def test_pings_whose_pongs_nobody_reads_are_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(HEAD + b"\r\n")
        assert client.recv(12) == b"HTTP/1.1 101"
        ping = _frame(Opcode.PING, b"x" * 125, is_last=True) * 500
        with contextlib.suppress(OSError):
            for _ in range(2000):
                client.sendall(ping)
        assert lost.wait(20)


def test_whoever_sends_waits_for_a_slow_reader_and_leaves_one_that_is_gone(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(HEAD.replace(b"/echo", b"/flood") + b"\r\n")
        time.sleep(0.3)
        assert not lost.is_set()
    assert lost.wait(20)


def test_one_that_answers_no_ping_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_socket, "PING_SECONDS", 0.1)
    monkeypatch.setattr(bounded_socket, "PONG_SECONDS", 0.2)
    with served(application) as other, socket.create_connection(("127.0.0.1", other), timeout=20) as client:
        client.sendall(HEAD + b"\r\n")
        assert client.recv(12) == b"HTTP/1.1 101"
        assert lost.wait(20)


def test_a_stop_tells_those_that_are_there() -> None:
    with contextlib.ExitStack() as after:
        with served(application) as other:
            one = after.enter_context(opened(other))
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
