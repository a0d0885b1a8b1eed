"""One engine: calls, streams, and its errors as sentences."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpcore
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, OpsError
from quarterdeck.remote.docker.dialing import Backend, Dial
from quarterdeck.remote.errors import EngineFailed, EngineUnreachable, Phase

SECONDS = 60.0
# The newest interface that this package knows; older engines are spoken to in theirs.
_NEWEST = (1, 47)
_MAX_ANSWER_BYTES = 64 << 20
_MAX_LINE_BYTES = 1 << 20
_READ_BYTES = 64 << 10


@dataclass(slots=True)
class Engine:
    """Calls to one engine; `place` names it for people. Made by `engine`."""

    pool: httpcore.AsyncConnectionPool
    place: str
    _prefix: str = field(default="")

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = SECONDS,
    ) -> Any:
        """Return the answer's JSON, None for an empty one, False for "it is so already" (304). Raises OpsError."""
        async with self.stream(method, path, query=query, body=body, headers=headers, seconds=seconds) as response:
            if response.status == 304:
                return False
            text = await _whole(self.place, response)
        return json.loads(text) if text.strip() else None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> AsyncIterator[httpcore.Response]:
        """Yield an answer whose body comes bit by bit; `seconds` is the longest pause in it. Raises OpsError."""
        await self._negotiate()
        async with self._raw(method, self._prefix + path, query, body, headers, seconds) as response:
            if response.status >= 300 and response.status != 304:
                raise refused(self.place, response.status, await _whole(self.place, response))
            yield response

    @asynccontextmanager
    async def _raw(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        seconds: float | None,
    ) -> AsyncIterator[httpcore.Response]:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"Host": "docker", "Content-Length": str(len(content)), **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        times = {"read": seconds, "write": SECONDS, "pool": SECONDS}
        url = f"http://docker{path}{_query(query)}"
        with told(self.place):
            async with self.pool.stream(
                method, url, headers=list(sent.items()), content=content, extensions={"timeout": times}
            ) as response:
                yield response

    async def _negotiate(self) -> None:
        """Ask once which interface it speaks."""
        if self._prefix:
            return
        async with self._raw("GET", "/_ping", None, None, None, SECONDS) as response:
            await _whole(self.place, response)
            named = {name.lower(): value for name, value in response.headers}
        try:
            major, minor = (int(part) for part in named.get(b"api-version", b"").split(b"."))
        except ValueError as error:
            raise EngineUnreachable(
                _("what answers at %(place)s is no Docker Engine") % {"place": self.place}, phase=Phase.RUN
            ) from error
        self._prefix = "/v{}.{}".format(*min((major, minor), _NEWEST))


@asynccontextmanager
async def engine(dial: Dial, place: str) -> AsyncIterator[Engine]:
    """Yield an engine to call. Nothing is opened before the first call."""
    async with httpcore.AsyncConnectionPool(
        network_backend=Backend(dial), max_connections=32, max_keepalive_connections=2, keepalive_expiry=60
    ) as pool:
        yield Engine(pool, place)


def segment(name: str) -> str:
    """Return a name as one segment of a path. Raises BadInput for what is none: the engine takes "%2F" for a slash."""
    if not name or "/" in name or name in (".", "..") or len(name) > 500:
        raise BadInput(
            _('"%(name)s" is no name of a container or a network') % {"name": printable(name[:60])}, field="name"
        )
    return quote(name, safe="")


def _query(query: Mapping[str, Any] | None) -> str:
    """Return `?a=1`; truth values and structures as the engine reads them, and without what is None."""
    found = {name: _value(value) for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(found)}" if found else ""


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class told:  # noqa: N801 - reads as a statement
    """Turns what httpcore raises into what a person can act on."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        values = {"place": self._place, "reason": str(error) or type(error).__name__}
        if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
            raise EngineUnreachable(
                _("the Docker Engine at %(place)s does not answer: %(reason)s") % values,
                hint=_("check that dockerd runs, and that the account is in the group of its socket (docker)"),
                phase=Phase.RUN,
            ) from error
        if isinstance(error, httpcore.TimeoutException | httpcore.NetworkError | httpcore.ProtocolError):
            raise EngineFailed(
                _("the Docker Engine at %(place)s stopped in the middle of an answer: %(reason)s") % values,
                hint=_("look on the host whether it was done"),
                phase=Phase.RUN,
            ) from error


async def _whole(place: str, response: httpcore.Response) -> bytes:
    text = bytearray()
    async for part in response.aiter_stream():
        text += part
        if len(text) > _MAX_ANSWER_BYTES:
            raise EngineFailed(_("the Docker Engine at %(place)s answers too much") % {"place": place}, phase=Phase.RUN)
    return bytes(text)


def refused(place: str, status: int, text: bytes) -> OpsError:
    """Return what an error of the engine means; its own words are in the message."""
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text.decode("utf-8", "replace")
    message = _("Docker at %(place)s: %(said)s") % {"place": place, "said": printable(said)}
    kinds: dict[int, type[OpsError]] = {400: BadInput, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict}
    if kind := kinds.get(status):
        return kind(message)
    return EngineFailed(message, phase=Phase.RUN)


def printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()[:500]


async def lines(place: str, response: httpcore.Response) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the objects of a body that has one on each line. Raises EngineFailed for an error among them."""
    rest = b""
    with told(place):
        async with aclosing(response.aiter_stream()) as parts:  # type: ignore[type-var]
            async for part in parts:
                rest += part
                *whole, rest = rest.split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise EngineFailed(_("the Docker Engine at %(place)s answers too much") % {"place": place})
                for line in whole:
                    if line.strip():
                        yield _object(place, line)
    if rest.strip():
        yield _object(place, rest)


def _object(place: str, line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    if said := found.get("error"):
        message = _("Docker at %(place)s: %(said)s") % {"place": place, "said": printable(str(said))}
        raise EngineFailed(message, phase=Phase.RUN)
    return found
