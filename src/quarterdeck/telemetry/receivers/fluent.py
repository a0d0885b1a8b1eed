"""Fluentd's forward protocol, version 1: all modes, acknowledgements, shared keys.

See https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgpack

from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.documents import frame_of_documents
from quarterdeck.telemetry.receiving import Answer, Client, Listener, Peer, Receiver, Refused, Taken

_BUFFER_MAX_BYTES = 64 << 20
_CONTENT_MAX_BYTES = 128 << 20
_DEPTH_MAX = 32
_BROKEN = (msgpack.exceptions.UnpackException, msgpack.exceptions.ExtraData, ValueError, TypeError, RecursionError)
_HOSTNAME = b"quarterdeck"


def _event_time(code: int, data: bytes) -> Any:
    """Return EventTime (seconds and nanoseconds, each of 4 bytes) as Unix time in ns."""
    if code == 0 and len(data) == 8:
        return int.from_bytes(data[:4], "big") * 1_000_000_000 + int.from_bytes(data[4:], "big")
    return None


def _unpacker() -> Any:
    return msgpack.Unpacker(
        raw=True, strict_map_key=False, ext_hook=_event_time, max_buffer_size=_BUFFER_MAX_BYTES, use_list=True
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _plain(value: object, depth: int = 0) -> Any:
    """Return a record as JSON can hold it: bytes as text, numbers that JSON has not as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if depth > _DEPTH_MAX:
        return str(value)[:1000]
    if isinstance(value, Mapping):
        return {_text(name): _plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    return value if isinstance(value, int | float | str | type(None)) else str(value)


def _document(tag: str, at: object, record: object) -> dict[str, Any]:
    """Return one event as a document. Raises Refused for a record that is no map."""
    if not isinstance(record, Mapping):
        raise Refused("an event's record is no map")
    found: dict[str, Any] = _plain(record)
    # The event's time is the one that Fluentd means; the name is the first that the mapping looks for.
    if isinstance(at, int | float) and at > 0:
        found = {name: value for name, value in found.items() if name != "@timestamp"}
        found["@timestamp"] = str(at) if isinstance(at, int) else f"{at:.6f}"
    found.setdefault("fluent.tag", tag)
    return found


class Connection:
    """Takes events; with a shared key in the settings the client has to prove first that it knows it."""

    def __init__(self, peer: Peer) -> None:
        self._unpacker = _unpacker()
        self._shared_key = str(peer.settings.get("intake_fluent_shared_key", "")).encode()
        self._nonce = os.urandom(16)
        self._is_known = not self._shared_key

    def begin(self) -> Iterator[Taken]:
        """Say HELO when there is a key to ask for."""
        if not self._is_known:
            yield Taken((), Answer(msgpack.packb(["HELO", {"nonce": self._nonce, "auth": b"", "keepalive": True}])))

    def feed(self, data: bytes) -> Iterator[Taken]:
        try:
            self._unpacker.feed(data)
        except msgpack.exceptions.BufferFull:
            raise Refused("a message is larger than 64 MB", reason="too_large") from None
        while (message := self._next()) is not _NOTHING:
            if self._is_known:
                yield _taken(message)
            else:
                yield self._proven(message)

    def end(self) -> Iterable[Taken]:
        return ()

    def _next(self) -> Any:
        try:
            return self._unpacker.unpack()
        except msgpack.exceptions.OutOfData:
            return _NOTHING
        except _BROKEN as error:
            raise Refused(f"this is no MessagePack: {error}") from error

    def _proven(self, message: Any) -> Taken:
        """Check `["PING", host, salt, sha512(salt host nonce key), user, password]` and say PONG. Raises Refused."""
        is_ping = isinstance(message, list) and len(message) >= 4 and message[0] == b"PING"
        if not is_ping or not all(isinstance(part, bytes) for part in message[:4]):
            raise Refused("the client must prove that it knows the shared key", reason="no_key")
        _ping, host, salt, digest = message[:4]
        wanted = hashlib.sha512(salt + host + self._nonce + self._shared_key).hexdigest().encode()
        if not hmac.compare_digest(digest, wanted):
            raise Refused("the client's shared key is another one", reason="bad_key")
        self._is_known = True
        own = hashlib.sha512(salt + _HOSTNAME + self._nonce + self._shared_key).hexdigest()
        return Taken((), Answer(msgpack.packb(["PONG", True, "", _HOSTNAME.decode(), own])))


_NOTHING = object()


def _taken(message: Any) -> Taken:
    """Take `[tag, time, record, option?]` or `[tag, entries, option?]`. Raises Refused."""
    if message is None:
        # Fluentd's heartbeat over TCP.
        return Taken()
    if not isinstance(message, list) or len(message) < 2 or not isinstance(message[0], bytes):
        raise Refused("this is no message of Fluentd's forward protocol")
    tag, second = _text(message[0]), message[1]
    if isinstance(second, list | bytes):
        option = message[2] if len(message) > 2 else None
        entries = second if isinstance(second, list) else _unpacked(second, option)
    else:
        option = message[3] if len(message) > 3 else None
        entries = [message[1:3]]
    documents, refused = _documents(tag, entries)
    answer = _acknowledgement(option)
    return Taken(
        [frame_of_documents(documents)] if documents else [], answer, {"malformed": refused} if refused else {}
    )


def _documents(tag: str, entries: Sequence[Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the events, and how many are none."""
    found: list[dict[str, Any]] = []
    refused = 0
    for entry in entries:
        try:
            if not isinstance(entry, list) or len(entry) < 2:
                raise Refused("an event is not [time, record]")
            found.append(_document(tag, entry[0], entry[1]))
        except Refused:
            refused += 1
    return found, refused


def _unpacked(content: bytes, option: object) -> list[Any]:
    """Return the entries of a packed message, decompressed when its options say so."""
    compressed = _text(option.get(b"compressed", b"")) if isinstance(option, Mapping) else ""
    if compressed in ("gzip", "zstd"):
        content = decode(content, compressed, _CONTENT_MAX_BYTES)
    unpacker = _unpacker()
    try:
        unpacker.feed(content)
        return list(unpacker)
    except (*_BROKEN, msgpack.exceptions.BufferFull) as error:
        raise Refused(f"the packed entries are no MessagePack: {error}") from error


def _acknowledgement(option: object) -> Answer | None:
    """Return `{"ack": chunk}` when the sender asks for it; it goes out when the events are on the disk."""
    chunk = option.get(b"chunk") if isinstance(option, Mapping) else None
    return Answer(msgpack.packb({"ack": _text(chunk)})) if isinstance(chunk, bytes) else None


class Heartbeat:
    """Fluentd asks over UDP whether anybody is here; any answer says yes."""

    def __init__(self, peer: Peer) -> None:
        pass

    def feed(self, data: bytes) -> Iterable[Taken]:
        # No longer than the question: nobody can be flooded with answers.
        return [Taken((), Answer(b"\0"))] if len(data) == 1 else []

    def end(self) -> Iterable[Taken]:
        return ()


_PYTHON = """\
from fluent import sender

logger = sender.FluentSender("my-service", host="{host}", port={port}, nanosecond_precision=True)
logger.emit("orders", {"message": "hello", "level": "info", "service.name": "my-service"})
"""
_DOCKER = """\
docker run --log-driver fluentd --log-opt fluentd-address={host}:{port} --log-opt fluentd-sub-second-precision=true IMAGE
"""
_FLUENT_BIT = """\
[OUTPUT]
    Name          forward
    Match         *
    Host          {host}
    Port          {port}
    Require_ack_response On
"""

PLUGIN = Receiver(
    title="Fluent forward",
    signals=("logs",),
    listeners=(
        Listener("intake_fluent", "tcp", Connection, silence_seconds=86_400.0),
        Listener("intake_fluent", "udp", Heartbeat),
    ),
    clients=(
        Client("Python (fluent-logger)", _PYTHON, setting="intake_fluent", language="python"),
        Client("Docker", _DOCKER, setting="intake_fluent", language="shell"),
        Client("Fluent Bit (not tried here)", _FLUENT_BIT, setting="intake_fluent", language="ini"),
    ),
)
