"""The one door to telemetry: `clickhouse-connect` over HTTP, to the engine process or to a ClickHouse server.

Everything else in the product calls `query`, `command` and `insert` here; the client's errors end here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver import options as client_options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, StreamFailureError
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from urllib3.exceptions import HTTPError

from quarterdeck.core.errors import TooMany, Unavailable
from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import run_file

ENGINE_USER = "quarterdeck"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 180
# An answer that fails on the way ends in a marker and the error's text, which is no longer than this.
_FAILURE_BYTES = 32 << 10
# ClickHouse's error numbers that are about its state, not about our statement.
_BUSY = {202}
_MEMORY = 241
_TOO_HEAVY = {
    158: gettext_lazy("rows"),
    159: gettext_lazy("time"),
    160: gettext_lazy("time"),
    _MEMORY: gettext_lazy("memory"),
    307: gettext_lazy("bytes"),
    396: gettext_lazy("rows"),
}
_REFUSED = {192, 193, 194, 516}
_FULL = {243, 75}

T = TypeVar("T")


class TooHeavy(Unavailable):
    """The statement itself needs more than it may have: the same again will fail again, a smaller one may not.

    `is_memory` says that it was memory, which another way of computing the same may need less of.
    """

    is_memory = False


_lock = threading.RLock()
_cached: tuple[tuple[int, str], Client] | None = None


def address() -> str:
    """Return the URL of the telemetry in force, with user and password. Raises Unavailable when no engine runs yet."""
    if settings.QD["clickhouse_url"]:
        return str(settings.QD["clickhouse_url"])
    found = run_file(settings.DATA, "engine").get("address")
    if not found:
        raise Unavailable(
            _("the telemetry engine is not running"), hint=_("`quarterdeck status` tells, `quarterdeck up` starts it")
        )
    parts = urlsplit(str(found))
    return f"{parts.scheme}://{ENGINE_USER}:{instance_key(settings.DATA, 'engine')}@{parts.netloc}"


def client() -> Client:
    """Return this process's client, safe to use from many threads. Raises Unavailable."""
    global _cached
    # A forked worker must not share its parent's connections.
    key = (os.getpid(), address())
    with _lock:
        if _cached is None or _cached[0] != key:
            with _translated():
                fresh = _connect(key[1])
            _prepare(fresh, key[1])
            _cached = (key, fresh)
        return _cached[1]


def _without_data_frames() -> None:
    """Keep the client from importing pandas, numpy and arrow when it inserts: 80 MB in each process, none of it used.

    They are installed because chDB needs them; the client takes them for wanted. It works without them by design.
    """
    for name in ("pd", "pd_time_test", "np", "arrow", "pl"):
        setattr(client_options, name, None)


def _connect(url: str) -> Client:
    _without_data_frames()
    # A dict is a Map's value; as JSON, which is the default, the engine cannot read it.
    common.set_setting("dict_parameter_format", "map")
    parts = urlsplit(url)
    return clickhouse_connect.get_client(
        interface=parts.scheme,
        host=parts.hostname or "127.0.0.1",
        port=parts.port or (8443 if parts.scheme == "https" else 8123),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "__default__",
        # On loopback compression costs more than it saves.
        compress=False if parts.hostname in ("127.0.0.1", "::1", "localhost") else "lz4",
        autogenerate_session_id=False,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=_ANSWER_SECONDS,
        client_name="quarterdeck",
        tz_mode="aware",
    )


def _prepare(fresh: Client, url: str) -> None:
    """Bring the tables up to date once per process and engine."""
    from quarterdeck.telemetry import migrating

    with _translated():
        migrating.apply(fresh)


def forget() -> None:
    """Drop the cached client; the next call connects anew."""
    global _cached
    with _lock:
        if _cached is not None and _cached[0][0] == os.getpid():
            _cached[1].close()
        _cached = None


def query(
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    binary: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT; `{name:Type}` in `sql` takes its value from `parameters`. Raises OpsError.

    Strings of the columns that are named `binary` are bytes; others are text, and hex when they are no UTF-8.
    """
    formats: dict[str, str | dict[str, str]] = dict.fromkeys(binary, "bytes")
    result = _call(
        lambda c: c.query(
            sql, parameters=dict(parameters or {}), settings=dict(options or {}), column_formats=formats or None
        )
    )
    return [tuple(row) for row in result.result_rows]


def command(sql: str, parameters: Mapping[str, Any] | None = None, *, options: Mapping[str, Any] | None = None) -> Any:
    """Run a statement without rows (DDL, INSERT ... SELECT); return its single value, if any. Raises OpsError."""
    return _call(lambda c: c.command(sql, parameters=dict(parameters or {}), settings=dict(options or {})))


def insert(table: str, columns: Mapping[str, Sequence[Any]], *, token: str) -> None:
    """Append rows given as columns of equal length. Sent again with the same `token` they are stored once."""
    if not any(columns.values()):
        return
    data, names = list(columns.values()), list(columns)
    options = {"insert_deduplication_token": token, "insert_deduplicate": 1}
    _call(lambda c: c.insert(table, data, column_names=names, column_oriented=True, settings=options))


def insert_raw(table: str, content: bytes, format_name: str, *, token: str) -> None:
    """Append rows that are in one of ClickHouse's formats already. Sent again with the same `token`: stored once."""
    options = {"insert_deduplication_token": token, "insert_deduplicate": 1}
    _call(lambda c: c.raw_insert(table, insert_block=content, fmt=format_name, settings=options))


def insert_mapped(sql: str, content: bytes, parameters: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Run an `INSERT ... SELECT ... FROM input(...) FORMAT ...` on `content`.

    Raises Unavailable, DatabaseError for content that the statement cannot read.
    """
    _call(lambda c: c.command(sql, parameters=dict(parameters), settings=dict(options), data=content))


def explained(sql: str, options: Mapping[str, Any]) -> list[str]:
    """Return the lines of an EXPLAIN, with backslash escapes. Raises DatabaseError for what does not parse."""
    # A FORMAT behind it, as `query` adds one, would belong to the statement that is explained.
    answer = _call(lambda c: c.raw_query(sql, settings=dict(options)))
    return answer.decode(errors="replace").splitlines()


def stream(
    sql: str, parameters: Mapping[str, Any], format_name: str, *, options: Mapping[str, Any] | None = None
) -> Iterator[bytes]:
    """Yield the answer of a SELECT in `format_name` block by block. Raises Unavailable, also when it is cut off."""
    chosen = dict(options or {})
    response: Any = _call(lambda c: c.raw_stream(sql, parameters=dict(parameters), settings=chosen, fmt=format_name))
    tag = response.headers.get("X-ClickHouse-Exception-Tag", "")
    marker = f"__exception__\r\n{tag}".encode() if tag else b""
    tail = b""
    with _translated(), response:
        while block := response.read(1 << 20):
            tail = (tail + block)[-_FAILURE_BYTES:]
            if marker and marker in tail:
                raise StreamFailureError(tail[tail.index(marker) :].decode(errors="replace"))
            yield block


def _call(work: Callable[[Client], T]) -> T:
    """Do `work` with the client; once more when the engine was restarted in between, since it may have moved."""
    before = client()
    try:
        with _translated():
            return work(before)
    except TooHeavy:
        raise
    except Unavailable:
        forget()
        after = client()
    with _translated():
        return work(after)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the client's errors into ours. A wrong statement stays a DatabaseError: that one is a bug."""
    try:
        yield
    except (OperationalError, HTTPError, StreamFailureError, DatabaseError) as error:
        raise _translation(error) from error


def said(error: DatabaseError) -> str:
    """Return the engine's own words, on one line, without codes, addresses and versions."""
    text = str(error).strip().splitlines()[0]
    text = text.rpartition("DB::Exception: ")[2]
    for end in (" (for url ", " (version ", ": While processing ", ". In scope ", ": In scope ", ": while executing "):
        text = text.partition(end)[0]
    return text.strip()[:1000]


def _translation(error: Exception) -> Exception:
    code = getattr(error, "code", None) or 0
    if code in _TOO_HEAVY:
        heavy = TooHeavy(
            _("the query needs more %(what)s than it may have") % {"what": _TOO_HEAVY[code]},
            hint=_("choose a shorter time range or fewer series; setting engine_memory_mb allows more memory"),
        )
        heavy.is_memory = code == _MEMORY
        return heavy
    if code in _BUSY:
        return TooMany(
            _("the telemetry engine has too many queries at once"), hint=_("try again"), retry_after_seconds=2
        )
    if code in _REFUSED:
        return Unavailable(_("the telemetry store refuses user or password"), hint=_("check setting clickhouse_url"))
    if code in _FULL:
        return Unavailable(
            _("the telemetry store has no disk space left"), hint=_("free space, or lower the retention")
        )
    if code and not isinstance(error, OperationalError):
        return error
    return Unavailable(
        _("the telemetry engine does not answer"),
        hint=_("`quarterdeck status` tells whether it runs; it restarts by itself"),
    )
