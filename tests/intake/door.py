"""The intake's listeners and spool in this process, without records and engine: to be attacked quickly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from tests.lab.parts import free_port, wait_until

from quarterdeck.core.bounded_http import BoundedHttp
from quarterdeck.core.serving import listen
from quarterdeck.intake.counters import Counters
from quarterdeck.intake.gate import Gate
from quarterdeck.intake.grpc import GrpcPort
from quarterdeck.intake.http import Application
from quarterdeck.intake.keyring import Key, Keyring, digest
from quarterdeck.intake.ports import Door as Place
from quarterdeck.intake.ports import TcpPort
from quarterdeck.intake.spool import frames
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.intake.states import States
from quarterdeck.telemetry.receiving import Answer, Frame, Listener, Receiver, Refused, Request, Route, Taken

BODY_MAX_BYTES = 1 << 20
CONTENT_MAX_BYTES = 4 << 20


def key(number: int, secret: str, **more: Any) -> Key:
    """Return a key with all rights and no limit but those that are given."""
    fields: dict[str, Any] = {"protocols": frozenset(), "labels": {}, "networks": (), "records_per_second": 0, **more}
    return Key(number, f"key{number}", digest(secret), **fields)


def _take(request: Request) -> Taken:
    """A record for each line; a line "crash" is a fault of the receiver's."""
    if b"crash" in request.body:
        raise ZeroDivisionError
    if not request.body:
        raise Refused("there is nothing in it")
    return Taken([Frame("plain.lines", request.body, request.body.count(b"\n") + 1)], Answer(b"ok", 200, "text/plain"))


def _answer(line: bytes) -> bytes:
    return b"much" * 100_000 if line == b"much" else b"%d\n" % len(line)


class _Lines:
    """Answers each line with its length, the line "much" with a lot."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Taken]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > 100_000:
            raise Refused("a line is too long", reason="too_large")
        return [Taken([Frame("plain.lines", line, 1)], Answer(_answer(line))) for line in lines if line]

    def end(self) -> list[Taken]:
        return []


PLAIN = Receiver(
    title="Lines",
    signals=("logs",),
    routes=(
        Route(("POST", "PUT"), "/plain", _take),
        Route(("POST",), "/plain/{name}/{rest:path}", _take),
        Route(("GET",), "/plain/probe", lambda _request: Taken((), Answer(b"here")), is_probe=True),
    ),
    listeners=(Listener("plain_tcp", "tcp", lambda _peer: _Lines(), silence_seconds=60),),
)


class Attacked:
    """`http`, `tcp` and `grpc` are ports; `contents()` is what is in the spool."""

    def __init__(self, directory: Path, receivers: Mapping[str, Receiver], keys: Sequence[Key], max_bytes: int) -> None:
        self.keys = list(keys)
        self.spool = Spool(directory, max_bytes, lambda _entry: False)
        self.counters = Counters(directory / "counters.json")
        self.keyring = Keyring(lambda: self.keys, is_loopback_open=not keys)
        self.keyring.refresh()
        self.gate = Gate(self.spool, self.keyring, self.counters)
        states = States(receivers, self.gate, directory / "state")
        self.states = states
        self.application = Application(
            receivers, self.gate, {}, states, body_max_bytes=BODY_MAX_BYTES, content_max_bytes=CONTENT_MAX_BYTES
        )
        self.tcp, self.grpc = free_port(), free_port()
        listener = PLAIN.listeners[0]
        self._tcp = TcpPort(Place("plain", listener, f"127.0.0.1:{self.tcp}"), self.gate, {}, states, None)
        self._grpc = GrpcPort(receivers, self.gate, f"127.0.0.1:{self.grpc}", CONTENT_MAX_BYTES)
        self._socket = listen("127.0.0.1:0", "")
        self.http = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(self.application, http=BoundedHttp, log_config=None, lifespan="off", ws="none")
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        await self._tcp.start()
        await self._grpc.start()
        await self._server._serve([self._socket])
        await self._tcp.stop()
        await self._grpc.stop()

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started, "the listeners")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.spool.close()

    def contents(self) -> list[bytes]:
        files = [*self.spool.sealed(), *sorted(self.spool.directory.glob("*.open"))]
        return [entry.frame.content for path in files for entry in frames.read(path)]

    def refused(self) -> dict[str, int]:
        """Return how many records were refused by reason, over all protocols and keys."""
        found: dict[str, int] = {}
        for row in self.counters.rows():
            for reason, count in row["refused_by_reason"].items():
                found[reason] = found.get(reason, 0) + count
        return found

    def connect(self, port: int = 0, seconds: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.http), timeout=seconds)

    def raw(self, content: bytes, seconds: float = 20) -> bytes:
        """Send bytes as they are, and return all that comes back until the other side closes or is silent."""
        with self.connect(seconds=seconds) as one:
            # It may be refused before we are done; what it said is to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(content)
            return read_all(one)

    def post(self, body: bytes, path: str = "/plain", secret: str = "", **headers: str) -> tuple[int, bytes, str]:
        """Return `(status, body, Retry-After)` of a well-formed request."""
        lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Authorization: Bearer {secret}"] if secret else []
        answer = self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head, _, content = answer.partition(b"\r\n\r\n")
        found = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        return int(head.split(b" ", 2)[1]), content, found.get(b"retry-after", b"").decode()


def read_all(one: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while piece := one.recv(65_536):
            found += piece
    return found


@contextmanager
def attacked(
    directory: Path,
    keys: Sequence[Key] = (),
    receivers: Mapping[str, Receiver] | None = None,
    max_bytes: int = 64 << 20,
) -> Iterator[Attacked]:
    """Yield running listeners."""
    one = Attacked(directory, {"plain": PLAIN} if receivers is None else receivers, keys, max_bytes)
    one.start()
    try:
        yield one
    finally:
        one.stop()
