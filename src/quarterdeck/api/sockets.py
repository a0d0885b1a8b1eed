"""WebSockets take the API's tokens and sessions, and a minute after those ended they end as well.

A session, and HTTP Basic where a page sends it, count on this address' own pages only. What is wrong is a problem
before the WebSocket is open, and closes it with its sentence (1008, 1011) afterwards. Each caller holds at most 32.
"""

# Beside Django, which serves HTTP only. A capability writes one function for each address and names it in a list, which
# `conf/asgi.py` takes in:
#
#     async def tail(socket: Socket) -> None:
#         actor = await socket.identify()
#         await socket.accept()
#         await socket.while_open(work(actor, socket))
#
#     routes = [route("api/v1/logs/live", tail)]
#
# Frames, pings and idle peers are `core.bounded_socket`'s. See
# https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from io import BytesIO
from typing import Any, cast

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver, path
from django.urls.resolvers import RegexPattern
from django.utils.translation import gettext as _

from quarterdeck.access.actors import BEARER, actor_of
from quarterdeck.api import auth, problems
from quarterdeck.api.bodies import App, Message, Receive, Scope, Send
from quarterdeck.api.origins import require_own_origin
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Denied, NotFound, OpsError, TooMany, Unauthenticated
from quarterdeck.core.streams import with_records

OPEN_MAX = 32
LOOK_AGAIN_SECONDS = 60.0
# Of RFC 6455, 7.4.1, and how long a reason may be.
_POLICY_VIOLATION, _INTERNAL_ERROR, _SERVICE_RESTART, _REASON_BYTES = 1008, 1011, 1012, 120

Heard = Callable[[str | bytes], Awaitable[None]]
_open: Counter[str] = Counter()


def route(pattern: str, view: Callable[..., Awaitable[None]]) -> URLPattern:
    """Return the place of a WebSocket's function in a table; patterns are those of Django's `path`."""
    return cast(URLPattern, path(pattern, cast(Any, view)))


class Gone(ConnectionError):
    """The peer has left."""


async def _unheard(_message: str | bytes) -> None:
    """What the peer says means nothing here."""


def _request_of(scope: Scope) -> HttpRequest:
    """Return the handshake as Django has requests, with its session and person."""
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    request = ASGIRequest({**scope, "method": "GET", "scheme": scheme}, BytesIO())
    for middleware in (SessionMiddleware, AuthenticationMiddleware):
        middleware(lambda _request: HttpResponse()).process_request(request)
    return request


class Socket:
    """One WebSocket, from its handshake on. `request` is the handshake."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.request = _request_of(scope)
        self._schemes: Collection[str] = BEARER
        self._actor: Actor | None = None
        self.is_accepted = False
        # It is us who are going: the process stops.
        self.is_stopped = False

    async def identify(self, schemes: Collection[str] = BEARER) -> Actor:
        """Return who asks, see `auth.identify`, and hold one of his places. Raises also Denied for a foreign page."""
        actor = self._actor = await with_records(self._identified, schemes)
        self._schemes = schemes
        caller = auth.caller_key(actor)
        _open[caller] += 1
        if _open[caller] > OPEN_MAX:
            raise TooMany(
                _("%(max)d WebSockets of yours are open") % {"max": OPEN_MAX},
                hint=_("close some of them"),
                retry_after_seconds=5,
            )
        return actor

    def _identified(self, schemes: Collection[str]) -> Actor:
        try:
            self.request.get_host()
        except DisallowedHost:
            raise BadInput(_("this host name is not served here"), hint=_("see the setting allowed_hosts")) from None
        actor = auth.identify(self.request, schemes)
        require_own_origin(self.request, actor)
        return actor

    def leave(self) -> None:
        """Give the caller's place back."""
        if self._actor is not None:
            caller, self._actor = auth.caller_key(self._actor), None
            _open[caller] -= 1
            if not _open[caller]:
                del _open[caller]

    async def accept(self, subprotocol: str = "") -> None:
        if self._actor is None:
            raise RuntimeError("BUG: a WebSocket is accepted of whom nobody knows who it is")
        await self._tell({"type": "websocket.accept", "subprotocol": subprotocol or None})
        self.is_accepted = True

    async def send(self, message: str | bytes) -> None:
        """Return when there is room for more: a peer that does not read holds back whoever sends. Raises Gone."""
        await self._tell({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        short = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        await self._tell({"type": "websocket.close", "code": code, "reason": short})

    async def answer(self, response: HttpResponse) -> None:
        """Answer the handshake with HTTP: there will be no WebSocket."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
        start = {"type": "websocket.http.response.start", "status": response.status_code, "headers": headers}
        await self._tell(start)
        await self._tell({"type": "websocket.http.response.body", "body": response.content})

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise Gone from error

    async def refuse(self, error: OpsError) -> None:
        if not self.is_accepted:
            await self.answer(problems.of_ops_error(self.request, error))
            return
        is_unwelcome = isinstance(error, Denied | Unauthenticated)
        await self.close(_POLICY_VIOLATION if is_unwelcome else _INTERNAL_ERROR, str(error.message))

    async def while_open(self, *works: Coroutine[Any, Any, None], heard: Heard = _unheard) -> None:
        """Do `works` side by side, and what is `heard`, until one is done or the peer leaves. Raises what they raise.

        Raises Unauthenticated when the token or session ends meanwhile.
        """
        tasks = [asyncio.ensure_future(one) for one in (*works, self._listen(heard), self._look_again())]
        try:
            done, _waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, heard: Heard) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                text = message.get("text")
                await heard(message["bytes"] if text is None else text)
        self.is_stopped = message.get("code") == _SERVICE_RESTART

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await with_records(self._require_same)

    def _require_same(self) -> None:
        found = actor_of(_request_of(self._scope), self._schemes)
        if self._actor is None or (found.kind, found.id) != (self._actor.kind, self._actor.id):
            raise Unauthenticated(_("the session has ended"))


class Sockets:
    """ASGI: WebSockets go to the functions of `routes`, everything else to `application`."""

    def __init__(self, application: App, routes: Sequence[URLPattern]) -> None:
        self._application = application
        self._resolver = URLResolver(RegexPattern(r"^/"), list(routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._application(scope, receive, send)
            return
        socket = Socket(scope, receive, send)
        try:
            await self._served(socket)
        except Gone:
            pass
        finally:
            socket.leave()

    async def _served(self, socket: Socket) -> None:
        try:
            match = self._resolver.resolve(socket.request.path_info)
            await match.func(socket, *match.args, **match.kwargs)
        except Resolver404:
            await socket.refuse(NotFound(_("there is no WebSocket at this address")))
        except OpsError as error:
            await socket.refuse(error)
        else:
            if socket.is_accepted:
                await socket.close()
