"""Every port besides the common one: opened at start, tried again while another program has it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import uvicorn

from quarterdeck.core.bounded_http import BoundedHttp
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.serving import listen
from quarterdeck.intake.gate import Gate
from quarterdeck.intake.ports import Door, TcpPort, UdpPort
from quarterdeck.intake.states import States
from quarterdeck.telemetry.receiving import Receiver, nothing_selected

log = logging.getLogger(__name__)
_AGAIN_SECONDS = 15.0


class Port(Protocol):
    """Something that can be opened and closed. `start` raises OSError or Unavailable when the address is taken."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class _HttpPort:
    """The common application once more, on a port that a protocol's clients expect."""

    def __init__(self, address: str, application: Any) -> None:
        self._address, self._application = address, application
        self._server: uvicorn.Server | None = None

    async def start(self) -> None:
        listener = listen(self._address, "the setting of this listener")
        config = uvicorn.Config(
            self._application,
            http=BoundedHttp,
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="none",
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        # The process's signals belong to the common port's server.
        self._task = asyncio.create_task(self._server._serve([listener]))

    async def stop(self) -> None:
        if self._server:
            self._server.should_exit = True
            await self._task


class Listeners:
    """Opens the ports that the settings name."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        gate: Gate,
        settings: Mapping[str, Any],
        states: States,
        application: Any,
        is_selected: Callable[[str, str], bool] = nothing_selected,
    ) -> None:
        self._settings = settings
        self._is_selected = is_selected
        self._states = states
        self._shown: dict[str, dict[str, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ports = list(self._all(receivers, gate, application))

    def _all(self, receivers: Mapping[str, Receiver], gate: Gate, application: Any) -> Iterator[tuple[str, str, Port]]:
        """Yield `(protocol, "tcp 127.0.0.1:10051", port)` of every listener that is switched on."""
        for protocol, receiver in receivers.items():
            for listener in receiver.listeners:
                address = str(self._settings[listener.setting])
                door = Door(protocol, listener, address)
                if address and listener.transport == "udp":
                    yield protocol, f"udp {address}", UdpPort(door, gate, self._settings, self._states)
                elif address:
                    tls = self._tls if listener.is_tls else None
                    kind = "tls" if listener.is_tls else "tcp"
                    opened = TcpPort(door, gate, self._settings, self._states, tls, self._is_selected)
                    yield protocol, f"{kind} {address}", opened
            if receiver.http_setting and (address := str(self._settings[receiver.http_setting])):
                yield protocol, f"http {address}", _HttpPort(address, application)
        if address := str(self._settings["intake_grpc"]):
            from quarterdeck.intake.grpc import GrpcPort

            limit = int(self._settings["intake_content_max_mb"]) << 20
            yield "otlp", f"grpc {address}", GrpcPort(receivers, gate, address, limit)

    def _tls(self) -> ssl.SSLContext:
        """Return what the listeners' certificate makes, read when a port is opened. Raises Unavailable."""
        certificate, key = str(self._settings["intake_tls_certificate"]), str(self._settings["intake_tls_key"])
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # Without a password of ours OpenSSL would ask for an encrypted key's on the terminal, and wait.
            context.load_cert_chain(certificate, key or None, password="")
        except OSError as error:
            raise Unavailable(
                f'the certificate "{certificate}" of the TLS listeners cannot be read: {error}',
                hint="set QD_INTAKE_TLS_CERTIFICATE and QD_INTAKE_TLS_KEY to PEM files, or switch the listener off",
            ) from error
        return context

    def start(self) -> None:
        """Open all ports; one that is taken is tried again, and shown as such, until it is free."""
        for protocol, name, port in self._ports:
            task = asyncio.create_task(self._keep_open(protocol, name, port))
            self._tasks.add(task)

    async def _keep_open(self, protocol: str, name: str, port: Port) -> None:
        while True:
            try:
                await port.start()
            except (OSError, Unavailable) as error:
                text = error.message if isinstance(error, Unavailable) else error.strerror or str(error)
                if self._shown.get(name, {}).get("problem") != text:
                    log.warning("%s: cannot listen on %s: %s", protocol, name, text)
                self._shown[name] = {"protocol": protocol, "problem": text}
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._shown[name] = {"protocol": protocol, "problem": ""}
                return

    def shown(self) -> list[dict[str, str]]:
        """Return `[{"protocol", "address": "tcp 127.0.0.1:10051", "problem"}]`."""
        return [{"address": name, **state} for name, state in sorted(self._shown.items())]
