"""Ways to an engine: each is a function that opens one stream of bytes."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import asyncssh
import httpcore
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

SOCKET_PATH = "/var/run/docker.sock"
_CONNECT_SECONDS = 15


class Reader(Protocol):
    async def read(self, n: int = -1) -> bytes: ...
    def at_eof(self) -> bool: ...


class Writer(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


Dial = Callable[[], Awaitable[tuple[Any, Any]]]


def by_socket(path: str = SOCKET_PATH) -> Dial:
    """A unix socket of this machine."""
    return lambda: asyncio.open_unix_connection(path)


def by_ssh(connection: asyncssh.SSHClientConnection, path: str = SOCKET_PATH) -> Dial:
    """A unix socket of the host that `connection` leads to; the account must be in its group, docker as a rule."""
    return lambda: connection.open_unix_connection(path)


def by_tls(host: str, port: int, authority: str, certificate: str = "", key: str = "") -> Dial:
    """TCP with TLS: who vouches for the engine, and our certificate and key, each as PEM text. Raises BadInput."""
    context = _context(authority, certificate, key)
    return lambda: asyncio.open_connection(host, port, ssl=context, server_hostname=host)


def _context(authority: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authority)
        if certificate:
            _load(context, certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise BadInput(
            _("the certificates for the Docker Engine cannot be read: %(reason)s") % {"reason": error},
            hint=_("PEM is needed: the authority's certificate, and our certificate with its key"),
            field="certificate",
        ) from error
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The library reads files only; this one is in memory, and nobody else's."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, f"{certificate.rstrip()}\n{key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: "")
    finally:
        os.close(descriptor)


class _Stream(httpcore.AsyncNetworkStream):
    """A reader and a writer, of asyncio or of asyncssh, as httpcore wants them."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except (OSError, asyncssh.Error) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except (OSError, asyncssh.Error) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._writer.close()

    def get_extra_info(self, info: str) -> Any:
        # Asked of an idle connection: it is readable when the other side has closed it.
        return self._reader.at_eof() if info == "is_readable" else None


class Backend(httpcore.AsyncNetworkBackend):
    """Every connection of a pool is opened by `dial`, whatever its URL says."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return _Stream(*await self._dial())
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, asyncssh.Error) as error:
            raise httpcore.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
