"""ClickHouse's HTTP interface as an ASGI application. See https://clickhouse.com/docs/interfaces/http

Left out, and answered as such: external tables, and `compress`/`decompress` of ClickHouse's own protocol.
A `session_id` is taken and has no effect: every request stands alone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from quarterdeck.telemetry.engine import failures
from quarterdeck.telemetry.engine.bodies import Body, form_fields
from quarterdeck.telemetry.engine.executor import Answer, Executor, Statement, summary_header
from quarterdeck.telemetry.engine.failures import EngineFailure
from quarterdeck.telemetry.engine.limits import Limits
from quarterdeck.telemetry.engine.statements import FORMAT_DEFAULT

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ENGINE_USER = "quarterdeck"
# A client that stops reading its answer must not hold a worker for ever.
_SEND_SECONDS = 60
_NOT_SETTINGS = frozenset(
    {
        *("query", "database", "user", "password", "role", "quota_key", "query_id", "default_format", "stacktrace"),
        *("wait_end_of_query", "buffer_size", "enable_http_compression", "client_protocol_version"),
        *(
            "send_progress_in_http_headers",
            "http_headers_progress_interval_ms",
            "session_id",
            "session_timeout",
            "session_check",
        ),
    }
)
_UNSUPPORTED = ("compress", "decompress")


class _ClientGone(Exception):
    """The client closed the connection before its answer was complete."""


class Interface:
    """The application. `password` is the instance's engine key; everything but the health pages needs it."""

    def __init__(self, executor: Executor, password: str, limits: Limits, scratch: Path) -> None:
        self._executor = executor
        self._password = password.encode()
        self._limits = limits
        self._scratch = scratch
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="engine")
        self._running = 0
        self._at_work: set[int] = set()

    def close(self, wait_seconds: float) -> bool:
        """Take no more statements; return whether the running ones ended within `wait_seconds`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + wait_seconds
        while self._at_work and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self._at_work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/ping":
            await _answer(send, 200, b"Ok.\n")
        elif path == "/healthz":
            await _answer(send, 200, b'{"status":"ok","process":"engine"}', kind=b"application/json")
        elif path == "/readyz":
            await self._readyz(send)
        elif path == "/":
            await _Exchange(self, scope, receive, send).answer()
        else:
            await _answer(send, 404, f"There is no page {path}\nhint: use / for queries\n".encode())

    async def _readyz(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        alive = await loop.run_in_executor(None, self._executor.is_alive)
        body = b'{"status":"ready"}' if alive else b'{"status":"not ready"}'
        await _answer(send, 200 if alive else 503, body, kind=b"application/json")

    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Raises EngineFailure unless user and password, sent in any of the three ways, are right."""
        user, password = query.get("user", ""), query.get("password", "")
        if "x-clickhouse-user" in headers:
            user, password = headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
        elif headers.get("authorization", "").lower().startswith("basic "):
            user, password = _basic(headers["authorization"])
        known = hmac.compare_digest(password.encode(), self._password)
        if not known or user not in (ENGINE_USER, "default"):
            message = f"{user or 'default'}: Authentication failed: password is incorrect, or there is no such user."
            raise EngineFailure(message, failures.AUTHENTICATION_FAILED)

    async def in_worker(self, work: Callable[[], None]) -> None:
        """Run `work` in a worker thread. Raises EngineFailure when too many wait already."""
        if self._running >= self._limits.workers + self._limits.waiting:
            raise EngineFailure("Too many simultaneous queries", failures.TOO_MANY_QUERIES)
        self._running += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._running -= 1

    def run(self, statement: Statement, begin: Callable[[Answer], None], emit: Callable[[bytes], None]) -> None:
        """Run `statement` in the calling thread, which is one of the pool."""
        self._at_work.add(threading.get_ident())
        try:
            self._executor.run(statement, begin, emit)
        finally:
            self._at_work.discard(threading.get_ident())

    @property
    def timezone(self) -> str:
        return self._executor.timezone

    def new_body(self, encoding: str, prefix: bytes) -> Body:
        return Body(encoding, self._limits.body_max_mb << 20, self._scratch, prefix)


class _Exchange:
    """One request and its answer."""

    def __init__(self, interface: Interface, scope: Scope, receive: Receive, send: Send) -> None:
        self._interface = interface
        self._method = scope["method"]
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self._receive, self._send = receive, send
        self._loop = asyncio.get_running_loop()
        self._tag = secrets.token_hex(8)
        self._begun = False
        self._gone = False

    async def answer(self) -> None:
        body: Body | None = None
        watch: asyncio.Task[None] | None = None
        try:
            self._interface.authenticate(self._headers, self._query)
            body = await self._body()
            statement = self._statement(body)
            watch = asyncio.create_task(self._watch())
            await self._interface.in_worker(lambda: self._interface.run(statement, self._begin, self._emit))
            await self._send({"type": "http.response.body", "body": b""})
        except EngineFailure as failure:
            await self._fail(failure)
        except UnicodeDecodeError as error:
            # chDB takes a statement as text, where ClickHouse takes any bytes.
            message = f"the statement is not UTF-8 at byte {error.start}"
            await self._fail(EngineFailure(message, failures.SYNTAX_ERROR))
        except _ClientGone:
            log.info("the client left before its answer was complete")
        finally:
            if watch is not None:
                watch.cancel()
            if body is not None:
                body.close()

    async def _watch(self) -> None:
        """Notice that the client left: uvicorn drops what is sent to it without a word."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True

    async def _body(self) -> Body:
        """Receive the body behind the statement's beginning in the URL, if there is one there."""
        if self._method not in ("GET", "POST"):
            raise EngineFailure(f"method {self._method} is not one of GET, POST", failures.BAD_ARGUMENTS)
        for name in _UNSUPPORTED:
            if self._query.get(name, "0") not in ("", "0"):
                raise EngineFailure(f"{name}={self._query[name]} is not supported here", failures.NOT_IMPLEMENTED)
        prefix = self._query.get("query", "")
        encoding = self._headers.get("content-encoding", "").lower()
        body = self._interface.new_body(encoding, (prefix.rstrip("\n") + "\n").encode() if prefix else b"")
        try:
            await self._receive_into(body)
            return await self._form(body)
        except BaseException:
            body.close()
            raise

    async def _receive_into(self, body: Body) -> None:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            if chunk := message.get("body"):
                # A large chunk may be decompressed or written to disk: not in the event loop.
                await (asyncio.to_thread(body.feed, chunk) if len(chunk) > 1 << 16 else _direct(body.feed, chunk))
            more = message.get("more_body", False)
        body.finish()

    async def _form(self, body: Body) -> Body:
        """Turn a form into what the URL would have carried."""
        kind = self._headers.get("content-type", "")
        if not kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
            return body
        self._query |= form_fields(kind, body.file)
        whole = self._interface.new_body("", self._query.get("query", "").encode())
        whole.finish()
        body.close()
        return whole

    def _statement(self, body: Body) -> Statement:
        parameters = {name[6:]: value for name, value in self._query.items() if name.startswith("param_")}
        settings = {
            name: value
            for name, value in self._query.items()
            if name not in _NOT_SETTINGS and name not in _UNSUPPORTED and not name.startswith("param_")
        }
        return Statement(
            body.file,
            parameters,
            settings,
            self._query.get("database", ""),
            self._query.get("default_format") or FORMAT_DEFAULT,
            may_stream=self._query.get("wait_end_of_query", "0") in ("", "0"),
            read_only=self._method == "GET",
        )

    def _begin(self, answer: Answer) -> None:
        self._begun = True
        headers = {
            "Content-Type": "text/plain; charset=UTF-8"
            if answer.format == FORMAT_DEFAULT
            else "application/octet-stream",
            "X-ClickHouse-Format": answer.format,
            "X-ClickHouse-Timezone": self._interface.timezone,
            "X-ClickHouse-Query-Id": self._query.get("query_id") or secrets.token_hex(16),
            "X-ClickHouse-Server-Display-Name": "quarterdeck",
            "X-ClickHouse-Summary": summary_header(answer),
        }
        if answer.streamed:
            headers["X-ClickHouse-Exception-Tag"] = self._tag
        raw = [(name.lower().encode(), _header_value(value)) for name, value in headers.items()]
        self._from_worker({"type": "http.response.start", "status": 200, "headers": raw})

    def _emit(self, chunk: bytes) -> None:
        self._from_worker({"type": "http.response.body", "body": chunk, "more_body": True})

    def _from_worker(self, message: MutableMapping[str, Any]) -> None:
        """Send from a worker thread and wait: a slow reader slows the query down, its answer never piles up here."""
        if self._gone:
            raise _ClientGone
        future = asyncio.run_coroutine_threadsafe(_sending(self._send, message), self._loop)
        try:
            future.result(_SEND_SECONDS)
        except (OSError, TimeoutError) as error:
            future.cancel()
            raise _ClientGone from error

    async def _fail(self, failure: EngineFailure) -> None:
        """Answer with the error, in the body's tail when the answer has begun."""
        if not self._begun:
            code = [(b"x-clickhouse-exception-code", str(failure.code).encode())]
            # What is left of the body is not read: the connection cannot carry another request.
            closing = [(b"connection", b"close")] if failure.code == failures.TOO_LARGE else []
            await _answer(self._send, failure.status, f"{failure.message}\n".encode(), extra=code + closing)
            return
        tail = f"{failure.message}\n"
        text = f"\r\n__exception__\r\n{self._tag}\r\n{tail}{len(tail.encode())} {self._tag}\r\n__exception__\r\n"
        await self._send({"type": "http.response.body", "body": text.encode()})


async def _direct(function: Callable[[bytes], None], chunk: bytes) -> None:
    function(chunk)


async def _sending(send: Send, message: MutableMapping[str, Any]) -> None:
    await send(message)


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"text/plain; charset=UTF-8",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _basic(header: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _header_value(value: str) -> bytes:
    """No line break of a client's `query_id` may start a header of its own."""
    return value.replace("\r", "").replace("\n", "").encode("latin-1", "replace")
