"""Serving an ASGI application on one address, for the processes that speak HTTP."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from quarterdeck.core.errors import Unavailable

if TYPE_CHECKING:
    import uvicorn

# Event streams stay open for hours: a stop does not wait for them, clients come back on their own.
_STOP_SECONDS = 3
_REASONS = {
    errno.EADDRINUSE: "another program has it",
    errno.EACCES: "this user may not use it (ports below 1024 belong to root)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def split_address(address: str) -> tuple[str, int]:
    """Return `("127.0.0.1", 8000)` of "127.0.0.1:8000", `("::1", 8000)` of "[::1]:8000"."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def url_of(address: str) -> str:
    """Return the URL under which this machine reaches `address`: a wildcard address is reached by loopback."""
    host, port = split_address(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(address: str, setting: str) -> socket.socket:
    """Return a socket that listens on "host:port". Raises Unavailable, naming the setting that moves it."""
    host, port = split_address(address)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise Unavailable(f"cannot listen on {address}: {reason}", hint=f"choose another with {setting}") from error
    return listener


def _leave(*_: object) -> None:
    raise SystemExit(0)


def serve(
    application: Any, listener: socket.socket, on_ready: Callable[[], None], *, trusted_proxies: Sequence[str] = ()
) -> None:
    """Serve `application`, HTTP and WebSockets, until SIGTERM or SIGINT; `on_ready` is called once it answers.

    `X-Forwarded-For` and `-Proto` are believed of `trusted_proxies` (addresses or networks) only.

    After SIGTERM it raises SystemExit(0), so that the caller's clean-up runs: uvicorn raises the signal it has caught
    again when it is done, and the default for that would end the process on the spot.
    """
    import uvicorn

    signal.signal(signal.SIGTERM, _leave)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

    Server(configured(application, trusted_proxies)).run([listener])


def configured(application: Any, trusted_proxies: Sequence[str] = ()) -> uvicorn.Config:
    """Return how uvicorn serves `application`: HTTP and WebSockets within bounds."""
    import uvicorn

    from quarterdeck.core.bounded_http import BoundedHttp
    from quarterdeck.core.bounded_socket import MESSAGE_BYTES, PING_SECONDS, PONG_SECONDS, BoundedSocket

    return uvicorn.Config(
        application,
        http=BoundedHttp,
        access_log=False,
        log_config=None,
        lifespan="off",
        ws=BoundedSocket,
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        # Each would hold a window of its own, and what is sent is small or soon.
        ws_per_message_deflate=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
