"""HTTP: every receiver's routes on one application, each answer in the protocol's own way."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from quarterdeck.core.clock import now
from quarterdeck.core.names import did_you_mean
from quarterdeck.intake.gate import Busy, Gate, busy
from quarterdeck.intake.keyring import OPEN, Key
from quarterdeck.intake.room import Room, Share
from quarterdeck.intake.spool.writer import SpoolFull
from quarterdeck.intake.states import States
from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.receiving import Answer, Problem, Receiver, Refused, Request, Route, Taken

log = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
OwnPage = Callable[[Request], Answer]

# From this size on a body is looked at in a thread: the listeners go on meanwhile.
_THREAD_BYTES = 128 << 10
# A body may pause for so long, and take so long as a whole.
_BODY_SECONDS = 60.0
_OWN_BODY_MAX_BYTES = 1 << 20
_BODY_WHOLE_SECONDS = 300.0
# All bodies that are being received, decompressed and checked, together.
_ROOM_BYTES = 512 << 20
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Place:
    protocol: str
    receiver: Receiver
    route: Route
    pattern: re.Pattern[str]


def _pattern(text: str) -> re.Pattern[str]:
    """Compile `/api/{project}/envelope/`: a name takes one part of the path, `{name:path}` all that is left."""
    parts = re.split(r"\{(\w+)(:path)?\}", text)
    found = [re.escape(parts[0])]
    for name, rest, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found.append(f"(?P<{name}>{'.*' if rest else '[^/]+'})" + re.escape(literal))
    return re.compile("".join(found) + r"\Z")


class Routes:
    """Finds the receiver of a path. Paths without names are looked up, the others tried in order of length."""

    def __init__(self, receivers: Mapping[str, Receiver]) -> None:
        self._fixed: dict[str, list[_Place]] = {}
        self._named: list[_Place] = []
        for protocol, receiver in receivers.items():
            for route in receiver.routes:
                place = _Place(protocol, receiver, route, _pattern(route.pattern))
                if "{" in route.pattern:
                    self._named.append(place)
                else:
                    self._fixed.setdefault(route.pattern, []).append(place)
        self._named.sort(key=lambda place: -len(place.route.pattern))

    def at(self, path: str, raw: str) -> Iterator[tuple[_Place, dict[str, str]]]:
        """Yield the places of a path with what its pattern named. `raw` is the path as it was sent: a %2F in a name is
        no end of the name.
        """
        for place in self._fixed.get(path, ()):
            yield place, {}
        for place in self._named:
            match = place.pattern.match(raw)
            if match:
                yield place, {name: unquote(value) for name, value in match.groupdict().items()}

    def paths(self) -> list[str]:
        return sorted({*self._fixed, *(place.route.pattern for place in self._named)})


class Application:
    """The ASGI application. `pages` are the intake's own: health and status."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        gate: Gate,
        pages: Mapping[str, OwnPage],
        states: States,
        *,
        body_max_bytes: int,
        content_max_bytes: int,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._routes = Routes(receivers)
        self._gate = gate
        self._pages = pages
        self._states = states
        self._room = Room(max(_ROOM_BYTES, 2 * content_max_bytes))
        self._body_max_bytes = body_max_bytes
        self._content_max_bytes = content_max_bytes
        self._settings = settings or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = _request(scope)
        page = self._pages.get(scope["path"])
        found = None if page else self._find(scope, request.method)
        if isinstance(found, Answer):
            await _send(send, found, is_head=request.method == "HEAD")
        elif found is None:
            answer = await self._own(page, request, receive) if page else self._unknown(scope["path"])
            await _send(send, answer, is_head=request.method == "HEAD")
        else:
            place, names = found
            request = replace(request, path=names, settings=self._settings)
            answer = await self._answer(place, request, receive)
            await _send(send, answer, is_head=request.method == "HEAD")

    async def _own(self, page: OwnPage, request: Request, receive: Receive) -> Answer:
        """Answer one of the intake's own pages in a thread: they may read files, or wait for the disk."""
        try:
            with self._room.share() as share:
                body = await _body(receive, _OWN_BODY_MAX_BYTES, share)
        except Refused as error:
            return Answer(b"", error.status)
        return await asyncio.to_thread(page, replace(request, body=body))

    def _find(self, scope: Scope, method: str) -> tuple[_Place, dict[str, str]] | Answer | None:
        places = list(self._routes.at(scope["path"], scope["raw_path"].decode("latin-1")))
        for place, names in places:
            if method in place.route.methods:
                return place, names
        if not places:
            return None
        allowed = ", ".join(sorted({method for place, _ in places for method in place.route.methods}))
        place = places[0][0]
        problem = Problem(405, f"{method} is not one of {allowed}", "method")
        answer = place.receiver.problem(problem)
        return replace(answer, headers={**answer.headers, "allow": allowed})

    def _unknown(self, path: str) -> Answer:
        paths = self._routes.paths()
        body = {
            "type": "about:blank",
            "status": 404,
            "title": "not found",
            "detail": f"nothing is received at {path[:200]}",
            "hint": did_you_mean(path, paths) or "the Intake page shows how each client is pointed here",
        }
        return Answer(orjson.dumps(body), 404, "application/problem+json")

    async def _answer(self, place: _Place, request: Request, receive: Receive) -> Answer:
        try:
            with self._room.share() as share:
                return await self._take(place, request, receive, share)
        except Refused as error:
            return _problem_of(place.receiver, error)
        except Exception:
            log.exception("BUG: %s cannot take a request", place.protocol)
            self._gate.refused(place.protocol, request.key, {"bug": 1})
            return _problem_of(place.receiver, Refused("a fault of the intake; its log says more", status=500))

    async def _take(self, place: _Place, request: Request, receive: Receive, share: Share) -> Answer:
        gate, protocol = self._gate, place.protocol
        key = OPEN if place.route.is_probe else self._admit_early(place, request)
        # A protocol whose body may hold the key tells in its refusal what of the body is held back, too.
        if key is not None and not place.receiver.key_in_body:
            gate.check_rate(protocol, key)
        with self._counted(protocol, key):
            body = await _body(receive, _lower(self._body_max_bytes, place.receiver.body_max_bytes), share)
            limit = _lower(self._content_max_bytes, place.receiver.content_max_bytes)
            request = replace(request, body=await _decoded(request, body, limit))
            if request.body is not body:
                share.grow(len(request.body))
        if key is None:
            # The key is in the body (Sentry's envelopes can carry it there).
            key = self._admit(place, request, place.receiver.credential(request) or secret_of(request))
        with self._counted(protocol, key):
            request = replace(request, key=key.id, state=self._states.of(protocol))
            taken = await in_thread_if_large(place.route.take, request)
        await deliver(gate, protocol, key, taken)
        await self._states.save(protocol)
        return taken.answer or Answer()

    @contextmanager
    def _counted(self, protocol: str, key: Key | None) -> Iterator[None]:
        """Count what is refused in the block."""
        try:
            yield
        except Refused as error:
            self._gate.refused(protocol, key.id if key else 0, {error.reason: 1})
            raise

    def _admit_early(self, place: _Place, request: Request) -> Key | None:
        """Return the key when the head tells it; a stranger's body is not read. None: it may be in the body."""
        secret = place.receiver.credential(request) or secret_of(request)
        if not secret and place.receiver.key_in_body:
            return None
        return self._admit(place, request, secret)

    def _admit(self, place: _Place, request: Request, secret: str) -> Key:
        return self._gate.admit(place.protocol, secret, request.peer, is_forced=place.receiver.key_is_forced)


def _lower(limit: int, own: int) -> int:
    """Return the intake's limit, or the receiver's own where that is lower; 0 is none."""
    return min(limit, own) if own else limit


async def _decoded(request: Request, body: bytes, limit: int) -> bytes:
    encoding = request.headers.get("content-encoding", "")
    if len(body) > _THREAD_BYTES:
        return await asyncio.to_thread(decode, body, encoding, limit)
    return decode(body, encoding, limit)


async def in_thread_if_large(take: Callable[[Request], Taken], request: Request) -> Taken:
    if len(request.body) > _THREAD_BYTES:
        return await asyncio.to_thread(take, request)
    return take(request)


async def deliver(gate: Gate, protocol: str, key: Key, taken: Taken, *, is_counted: bool = True) -> None:
    """Make what was taken durable. Raises Busy when it cannot be kept now; with `is_counted` that is a refusal."""
    if taken.refused:
        gate.refused(protocol, key.id, taken.refused)
    if not taken.frames:
        return
    try:
        if sum(len(frame.content) for frame in taken.frames) > _THREAD_BYTES:
            kept = await asyncio.to_thread(gate.keep, protocol, key, taken.frames, is_counted=is_counted)
        else:
            kept = gate.keep(protocol, key, taken.frames, is_counted=is_counted)
        await asyncio.wrap_future(kept)
    except SpoolFull as error:
        raise busy(error, taken.frames) from error
    if taken.when_kept:
        taken.when_kept()


def _problem_of(receiver: Receiver, error: Refused) -> Answer:
    after, streams = (error.retry_after_seconds, error.streams) if isinstance(error, Busy) else (0, ())
    answer = receiver.problem(Problem(error.status, error.message, error.reason, after, streams))
    if after:
        return replace(answer, headers={"retry-after": str(after), **answer.headers})
    return answer


def _request(scope: Scope) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    peer = scope["client"][0] if scope.get("client") else ""
    local = str(scope["server"][0]) if scope.get("server") else ""
    return Request(scope["method"], {}, query, headers, b"", peer, now(), local=local)


async def _body(receive: Receive, limit: int, share: Share) -> bytes:
    """Return the request's body. Raises Refused for one that is too large or does not come."""
    parts: list[bytes] = []
    size = 0
    more = True
    deadline = time.monotonic() + _BODY_WHOLE_SECONDS
    while more:
        try:
            async with asyncio.timeout(min(_BODY_SECONDS, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise Refused("the body did not come in time", reason="timeout", status=408) from None
        if message["type"] == "http.disconnect":
            raise Refused("the client left", reason="disconnected", status=400)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise Refused(f"the body is larger than {limit >> 20} MB", reason="too_large", status=413)
        share.grow(len(parts[-1]))
        more = message.get("more_body", False)
    return b"".join(parts)


def secret_of(request: Request) -> str:
    """Return the intake key that a request carries in one of the usual ways, "" for none."""
    headers = request.headers
    scheme, _space, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "apikey", "token", "api-token"):
        return _apikey(value.strip()) if scheme.lower() == "apikey" else value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    for name in ("x-quarterdeck-key", "api-key", "x-api-key"):
        if headers.get(name):
            return headers[name].strip()
    return request.query.get("key", "")


def _apikey(value: str) -> str:
    """Elasticsearch's ApiKey is base64 of "id:key"; a plain key is taken as well."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2] or value
    except ValueError:
        return value


async def _send(send: Send, answer: Answer, *, is_head: bool) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type.encode("latin-1")))
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if is_head or answer.status in (204, 304) else answer.body
    await send({"type": "http.response.body", "body": body})
