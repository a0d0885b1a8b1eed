"""gRPC: unary methods of receivers, whose messages go on as bytes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import grpc

from quarterdeck.core.clock import now
from quarterdeck.intake.gate import Gate
from quarterdeck.intake.http import deliver, in_thread_if_large, secret_of
from quarterdeck.intake.room import Room
from quarterdeck.telemetry.receiving import Method, Receiver, Refused, Request, Taken

log = logging.getLogger(__name__)
_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    # OTLP clients send again after UNAVAILABLE; after RESOURCE_EXHAUSTED only with details that say when.
    429: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
}
# All messages that are being checked and kept, together.
_ROOM_BYTES = 512 << 20
Handler = Callable[[bytes, Any], Awaitable[bytes]]


class GrpcPort:
    """Serves the methods of all receivers on one address."""

    def __init__(self, receivers: Mapping[str, Receiver], gate: Gate, address: str, message_max_bytes: int) -> None:
        self._gate = gate
        self._room = Room(max(_ROOM_BYTES, 2 * message_max_bytes))
        self._address = address
        self._options = [("grpc.max_receive_message_length", message_max_bytes), ("grpc.so_reuseport", 0)]
        self._handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(self._handler(protocol, method))
            for protocol, receiver in receivers.items()
            for method in receiver.methods
        }
        self._server: Any = None

    async def start(self) -> None:
        """Raises OSError when the address cannot be used."""
        # It belongs to the event loop that runs when it is made.
        self._server = grpc.aio.server(options=self._options)
        self._server.add_generic_rpc_handlers((_Methods(self._handlers),))
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}") from error
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(1.0)

    def _handler(self, protocol: str, method: Method) -> Handler:
        async def call(message: bytes, context: Any) -> bytes:
            metadata = {name: _text(value) for name, value in context.invocation_metadata() or ()}
            request = Request("POST", {}, {}, metadata, message, _address_of(context.peer()), now())
            try:
                key = self._gate.admit(protocol, secret_of(request), request.peer)
                self._gate.check_rate(protocol, key)
                with self._room.share() as share:
                    share.grow(len(message))
                    taken = await self._taken(protocol, method, replace(request, key=key.id))
                    await deliver(self._gate, protocol, key, taken)
            except Refused as error:
                await context.abort(_STATUS.get(error.status, grpc.StatusCode.INTERNAL), error.message)
            return taken.answer.body if taken.answer else b""

        return call

    async def _taken(self, protocol: str, method: Method, request: Request) -> Taken:
        try:
            return await in_thread_if_large(method.take, request)
        except Refused as error:
            self._gate.refused(protocol, request.key, {error.reason: 1})
            raise


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    def __init__(self, handlers: Mapping[str, Any]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _address_of(peer: str) -> str:
    """Return the IP of gRPC's "ipv4:127.0.0.1:4711" or "ipv6:%5B::1%5D:4711"."""
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return "127.0.0.1"
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
