"""Graylog's GELF over UDP (chunks, gzip, zlib), TCP and HTTP.

See https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.documents import frame_of_documents
from quarterdeck.telemetry.receiving import Answer, Client, Listener, Peer, Receiver, Refused, Request, Route, Taken

_CHUNK = b"\x1e\x0f"
_CHUNKS_MAX = 128
_CHUNKS_SECONDS = 5.0
# Senders that never send the last chunk must not fill the memory.
_PENDING_MAX_BYTES = 64 << 20
_MESSAGE_MAX_BYTES = 4 << 20


def _document(content: bytes) -> dict[str, Any]:
    """Return the message as a document: additional fields lose their underscore. Raises Refused."""
    try:
        message = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the message is no JSON: {error}") from error
    if not isinstance(message, Mapping) or not (message.get("short_message") or message.get("full_message")):
        raise Refused("the message is no object with a short_message", reason="no_message")
    found = {
        "timestamp": message.get("timestamp"),
        "host.name": str(message.get("host") or ""),
        # Without a level GELF means 1, alert, which nobody who leaves it out does.
        "level": message.get("level", ""),
        "message": str(message.get("full_message") or message["short_message"]),
    }
    if message.get("full_message") and message.get("short_message"):
        found["gelf.short_message"] = message["short_message"]
    return found | {
        _free(name.removeprefix("_"), found): value
        for name, value in message.items()
        if name not in ("version", "timestamp", "host", "level", "short_message", "full_message")
    }


def _free(name: str, taken: Mapping[str, object]) -> str:
    """An additional field must not stand in for one of GELF's own (`_level` beside `level`)."""
    return f"gelf.{name}" if name in taken or name == "host" else name


def _inflated(content: bytes) -> bytes:
    """Undo gzip or zlib, which the first bytes tell."""
    is_zlib = len(content) > 1 and content[0] & 0x0F == 8 and (content[0] << 8 | content[1]) % 31 == 0
    if content[:2] == b"\x1f\x8b" or is_zlib:
        return decode(content, "gzip", _MESSAGE_MAX_BYTES)
    return content


@dataclass(slots=True)
class _Pending:
    count: int
    begun: float
    parts: dict[int, bytes] = field(default_factory=dict)


class Chunks:
    """Puts the chunks of a port's datagrams together. `clock` tells monotonic seconds."""

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._pending: dict[tuple[str, bytes], _Pending] = {}
        self._bytes = 0

    def add(self, address: str, datagram: bytes) -> bytes | None:
        """Return the message when this was the last chunk that it lacked. Raises Refused."""
        self._forget_old()
        if len(datagram) < 12:
            raise Refused("a chunk is shorter than its head")
        number, count = datagram[10], datagram[11]
        if not 0 < count <= _CHUNKS_MAX or number >= count:
            raise Refused(f"chunk {number} of {count}: a message has 1 to {_CHUNKS_MAX}")
        name = (address, datagram[2:10])
        pending = self._pending.setdefault(name, _Pending(count, self._clock()))
        if pending.count != count:
            raise Refused("the chunks of a message disagree on how many they are")
        if number not in pending.parts:
            pending.parts[number] = datagram[12:]
            self._bytes += len(datagram)
        if len(pending.parts) < count:
            self._make_room()
            return None
        self._drop(name)
        return b"".join(pending.parts[at] for at in range(count))

    def _forget_old(self) -> None:
        oldest = self._clock() - _CHUNKS_SECONDS
        for name, pending in list(self._pending.items()):
            if pending.begun > oldest:
                return
            self._drop(name)

    def _make_room(self) -> None:
        while self._bytes > _PENDING_MAX_BYTES:
            self._drop(next(iter(self._pending)))

    def _drop(self, name: tuple[str, bytes]) -> None:
        pending = self._pending.pop(name)
        self._bytes -= sum(len(part) + 12 for part in pending.parts.values())


class Datagram:
    """A message, or a chunk of one."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def feed(self, data: bytes) -> Iterable[Taken]:
        content: bytes | None = data
        if data[:2] == _CHUNK:
            chunks: Chunks = self._peer.shared.setdefault("gelf.chunks", Chunks())
            content = chunks.add(self._peer.address, data)
        return [] if content is None else [Taken([frame_of_documents([_document(_inflated(content))])])]

    def end(self) -> Iterable[Taken]:
        return ()


class Connection:
    """Messages that end with a NUL; one that is none is counted and costs nothing else."""

    def __init__(self, peer: Peer) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterable[Taken]:
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        return self._taken(messages)

    def end(self) -> Iterable[Taken]:
        last, self._buffer = self._buffer, b""
        return self._taken([last])

    def _taken(self, messages: list[bytes]) -> Iterator[Taken]:
        found: list[dict[str, Any]] = []
        refused: dict[str, int] = {}
        for message in messages:
            # Some clients write each message on a line as well.
            if not message.strip():
                continue
            try:
                found.append(_document(message))
            except Refused as error:
                refused[error.reason] = refused.get(error.reason, 0) + 1
        if found or refused:
            yield Taken([frame_of_documents(found)] if found else [], None, refused)
        if len(self._buffer) > _MESSAGE_MAX_BYTES:
            raise Refused(f"a message is longer than {_MESSAGE_MAX_BYTES >> 20} MB", reason="too_large")


def _take(request: Request) -> Taken:
    """Take one message, or one on each line."""
    content = _inflated(request.body).strip()
    try:
        documents = [_document(content)]
    except Refused:
        lines = content.splitlines()
        if len(lines) < 2:
            raise
        documents = [_document(line) for line in lines if line.strip()]
    return Taken([frame_of_documents(documents)], Answer(status=202))


_PYGELF = """\
import logging
from pygelf import GelfTcpHandler

logging.getLogger().addHandler(GelfTcpHandler(host="{host}", port={port}, include_extra_fields=True))
"""
_DOCKER = """\
docker run --log-driver gelf --log-opt gelf-address=udp://{host}:{port} IMAGE
"""
_CURL = """\
curl -H "Authorization: Bearer {key}" {url}/gelf \\
    -d '{"version": "1.1", "host": "web-1", "short_message": "hello", "level": 6, "_order": 42}'
"""

PLUGIN = Receiver(
    title="GELF",
    signals=("logs",),
    routes=(Route(("POST",), "/gelf", _take),),
    listeners=(
        Listener("intake_gelf", "udp", Datagram),
        Listener("intake_gelf", "tcp", Connection, silence_seconds=3600.0),
    ),
    clients=(
        Client("Python (pygelf)", _PYGELF, setting="intake_gelf", language="python"),
        Client("Docker", _DOCKER, setting="intake_gelf", language="shell"),
        Client("HTTP", _CURL, language="shell"),
    ),
)
