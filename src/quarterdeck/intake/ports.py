"""TCP and UDP: a session for each connection, one for each datagram."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from quarterdeck.core.bounded_http import UNREAD_SECONDS, connections, connections_max, watch_peer
from quarterdeck.core.clock import now
from quarterdeck.core.serving import split_address
from quarterdeck.intake.gate import Busy, Gate
from quarterdeck.intake.http import deliver
from quarterdeck.intake.keyring import Key
from quarterdeck.intake.spool.writer import SpoolFull
from quarterdeck.intake.states import States
from quarterdeck.telemetry.receiving import Frame, Listener, Peer, Problem, Refused, Taken, nothing_selected

log = logging.getLogger(__name__)
_READ_BYTES = 64 << 10
# Datagrams are spooled together this often: one write and one sync for all of them.
_GATHER_SECONDS = 0.05
# What the kernel keeps for us while we are busy; a burst of syslog needs it.
_RECEIVE_BUFFER_BYTES = 8 << 20
_CONNECTIONS_MAX = 20_000
_LAST_WORD_SECONDS = 5.0
# A sender is held back for so long while there is no room; then the connection ends, and it knows.
_HELD_BACK_SECONDS = 120.0
_HELD_BACK_STEP_SECONDS = 1.0
# Datagrams that wait while the disk is slow; what comes beyond is counted as refused.
_DATAGRAMS_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Door:
    """A listener of a protocol, and the address that the settings give it."""

    protocol: str
    listener: Listener
    address: str

    @property
    def name(self) -> str:
        return f"{self.protocol} ({self.listener.transport} {self.address})"


def merged(frames: Iterable[Frame]) -> list[Frame]:
    """Return one frame for each stream: many small ones cost the engine more than one large."""
    by_stream: dict[str, list[Frame]] = {}
    for frame in frames:
        by_stream.setdefault(frame.stream, []).append(frame)
    return [
        many[0] if len(many) == 1 else Frame(stream, b"\n".join(f.content for f in many), sum(f.records for f in many))
        for stream, many in by_stream.items()
    ]


class TcpPort:
    """Serves one TCP listener."""

    def __init__(
        self,
        door: Door,
        gate: Gate,
        settings: Mapping[str, Any],
        states: States,
        tls: Callable[[], ssl.SSLContext] | None,
        is_selected: Callable[[str, str], bool] = nothing_selected,
    ) -> None:
        self._door, self._gate, self._settings, self._tls = door, gate, settings, tls
        self._is_selected = is_selected
        self._state = states.of(door.protocol)
        self._server: asyncio.Server | None = None
        self._shared: dict[str, Any] = {}
        self._open = 0

    async def start(self) -> None:
        host, port = split_address(self._door.address)
        self._server = await asyncio.start_server(
            self._serve,
            host,
            port,
            limit=_READ_BYTES,
            backlog=1024,
            ssl=self._tls() if self._tls else None,
            reuse_address=True,
        )

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = (writer.get_extra_info("peername") or ("",))[0]
        self._open += 1
        connections.open += 1
        watch_peer(writer.get_extra_info("socket"))
        try:
            if self._is_crowded():
                self._gate.refused(self._door.protocol, 0, {"connections": 1})
                raise Refused("too many connections", reason="connections")
            key = self._gate.admit(self._door.protocol, "", address)
            await self._talk(reader, writer, key, address)
        except Refused as error:
            log.info("%s: %s sent what is not taken: %s", self._door.name, address, error.message)
            await self._say(writer, error)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass
        except Exception:
            log.exception("BUG: %s, connection of %s", self._door.name, address)
        finally:
            self._open -= 1
            connections.open -= 1
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, error: Refused) -> None:
        """Tell the peer why it is hung up on, where its protocol has words for that."""
        if self._door.listener.problem is None:
            return
        after = error.retry_after_seconds if isinstance(error, Busy) else 0
        writer.write(self._door.listener.problem(Problem(error.status, error.message, error.reason, after)))
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(writer.drain(), _LAST_WORD_SECONDS)

    def _is_crowded(self) -> bool:
        """Whether this connection is one too many: for the process, or for one listener beside others."""
        most = connections_max()
        return self._open > min(_CONNECTIONS_MAX, most * 3 // 4) or connections.open > most

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: Key, address: str) -> None:
        local = (writer.get_extra_info("sockname") or ("",))[0]
        generation = self._gate.keyring.generation
        peer = Peer(address, key.id, now, self._settings, self._shared, self._is_selected, local, self._state)
        session = self._door.listener.open(peer)
        for taken in session.begin() if hasattr(session, "begin") else ():
            await self._deliver(writer, key, taken)
        while True:
            data = await asyncio.wait_for(reader.read(_READ_BYTES), self._door.listener.silence_seconds)
            if generation != self._gate.keyring.generation:
                # The key may have been revoked, or lost its right, since the connection was opened.
                generation = self._gate.keyring.generation
                key = self._gate.admit(self._door.protocol, "", address)
            try:
                for taken in session.feed(data) if data else session.end():
                    await self._deliver(writer, key, taken)
                    if taken.is_last:
                        return
            except Busy:
                raise
            except Refused as error:
                # What came before it in the same read is kept; a protocol that answers has had its say in `feed`.
                self._gate.refused(self._door.protocol, key.id, {error.reason: 1})
                raise
            if not data:
                return

    async def _deliver(self, writer: asyncio.StreamWriter, key: Key, taken: Taken) -> None:
        await self._keep(writer, key, replace(taken, frames=merged(taken.frames)))
        if taken.answer is not None and taken.answer.body:
            writer.write(taken.answer.body)
            await asyncio.wait_for(writer.drain(), UNREAD_SECONDS)

    async def _keep(self, writer: asyncio.StreamWriter, key: Key, taken: Taken) -> None:
        """Keep frames. While there is no room nothing more is read, so that TCP holds the sender back.

        A protocol that has words for it says so instead. Records that wait are refused once they are given up.
        """
        deadline = time.monotonic() + _HELD_BACK_SECONDS
        while True:
            try:
                await deliver(self._gate, self._door.protocol, key, taken, is_counted=False)
            except Busy as busy:
                has_words = self._door.listener.problem is not None
                if has_words or time.monotonic() > deadline or writer.is_closing():
                    records = sum(frame.records for frame in taken.frames)
                    self._gate.refused(self._door.protocol, key.id, {busy.reason: records})
                    raise
                taken = replace(taken, refused={})
                await asyncio.sleep(min(busy.retry_after_seconds, _HELD_BACK_STEP_SECONDS))
            else:
                return


class UdpPort(asyncio.DatagramProtocol):
    """Serves one UDP listener. There is nobody to tell that a datagram is not kept: it is counted."""

    def __init__(self, door: Door, gate: Gate, settings: Mapping[str, Any], states: States) -> None:
        self._door, self._gate, self._settings = door, gate, settings
        self._state = states.of(door.protocol)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[tuple[bytes, tuple[Any, ...]]] = []
        self._shared: dict[str, Any] = {}
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        host, port = split_address(self._door.address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def stop(self) -> None:
        if self._transport:
            self._transport.close()
        if self._task:
            await self._task

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if self._waiting_bytes + len(data) > _DATAGRAMS_MAX_BYTES:
            self._gate.refused(self._door.protocol, 0, {"overflow": 1})
            return
        self._waiting_bytes += len(data)
        self._waiting.append((data, addr))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._gather())

    async def _gather(self) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        while self._waiting:
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            for key, frames in self._read(batch):
                await self._keep(key, frames)

    def _read(self, batch: Sequence[tuple[bytes, tuple[Any, ...]]]) -> list[tuple[Key, list[Frame]]]:
        frames: dict[int, tuple[Key, list[Frame]]] = {}
        keys: dict[str, Key | None] = {}
        refused: Counter[str] = Counter()
        for data, sender in batch:
            address = sender[0]
            if address not in keys:
                keys[address] = self._key_of(address)
            key = keys[address]
            if key is not None:
                found = frames.setdefault(key.id, (key, []))[1]
                found += self._frames_of(data, key, sender, refused)
            else:
                refused["no_key"] += 1
        if refused:
            self._gate.refused(self._door.protocol, 0, refused)
        return [(key, merged(many)) for key, many in frames.values() if many]

    def _key_of(self, address: str) -> Key | None:
        try:
            return self._gate.keyring.find(self._door.protocol, "", address)
        except Refused:
            return None

    def _frames_of(self, data: bytes, key: Key, sender: tuple[Any, ...], refused: Counter[str]) -> list[Frame]:
        session = self._door.listener.open(
            Peer(sender[0], key.id, now, self._settings, self._shared, state=self._state)
        )
        found: list[Frame] = []
        try:
            for taken in (*session.feed(data), *session.end()):
                found += taken.frames
                refused.update(taken.refused)
                self._reply(taken, sender)
        except Refused as error:
            refused[error.reason] += 1
        except Exception:
            log.exception("BUG: %s, datagram of %s", self._door.name, sender[0])
            refused["bug"] += 1
        return found

    def _reply(self, taken: Taken, sender: tuple[Any, ...]) -> None:
        if taken.answer is not None and taken.answer.body and self._transport:
            self._transport.sendto(taken.answer.body, sender)

    async def _keep(self, key: Key, frames: list[Frame]) -> None:
        try:
            future: Future[None] = self._gate.keep(self._door.protocol, key, frames)
            await asyncio.wrap_future(future)
        except (Refused, SpoolFull) as error:
            log.warning("%s: datagrams are lost: %s", self._door.name, error)
