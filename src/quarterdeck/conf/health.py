"""Whether the processes serve: `/healthz` (this one answers) and `/readyz` (all of them do their work)."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from quarterdeck.core.processes import heartbeat_age_seconds, run_file

PROBE_SECONDS = 2.0
# The worker reports every 2 s; five missed reports are no longer a pause.
HEARTBEAT_LIMIT_SECONDS = 10.0
_PING_CACHE_SECONDS = 10.0


@cache
def _migrations_applied() -> bool:
    """True once every migration is applied. Only True is worth remembering: the caller clears the cache on False."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _web() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if _migrations_applied():
            return ""
    except DatabaseError as error:
        return f"the records database does not answer: {type(error).__name__}"
    finally:
        connection.close()
    _migrations_applied.cache_clear()
    return "migrations are not applied yet"


def http_probe(url: str, path: str) -> str:
    """Return "" when `GET url/path` answers 200, else what was found instead."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    client = kind(parts.hostname or "127.0.0.1", parts.port, timeout=PROBE_SECONDS)
    try:
        client.request("GET", path)
        status = client.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {parts.hostname}:{parts.port}: {error}"
    finally:
        client.close()
    return "" if status == 200 else f"{parts.hostname}:{parts.port} answers {status}"


def _intake() -> str:
    address = run_file(settings.DATA, "intake").get("address") or f"http://{settings.QD['intake_http']}"
    return http_probe(str(address), "/readyz")


def _engine() -> str:
    if settings.QD["clickhouse_url"]:
        return http_probe(settings.QD["clickhouse_url"], "/ping")
    address = run_file(settings.DATA, "engine").get("address")
    return http_probe(str(address), "/ping") if address else "not started yet"


_last_ping = (0.0, "")


def _worker() -> str:
    """A worker of this machine reports to its file; one elsewhere is asked through the broker, not too often."""
    global _last_ping
    age = heartbeat_age_seconds(settings.DATA, "worker")
    if age is not None and age < HEARTBEAT_LIMIT_SECONDS:
        return ""
    asked_at, answer = _last_ping
    if time.monotonic() - asked_at > _PING_CACHE_SECONDS or (answer and age is not None):
        _last_ping = (time.monotonic(), _ping_workers())
    return _last_ping[1]


def _ping_workers() -> str:
    from celery import current_app

    try:
        answers = current_app.control.ping(timeout=1.0, limit=1)
    except current_app.connection_for_read().recoverable_connection_errors as error:
        return f"the broker does not answer: {type(error).__name__}"
    return "" if answers else "no worker answers"


PROBES: dict[str, Callable[[], str]] = {"web": _web, "intake": _intake, "engine": _engine, "worker": _worker}


def states() -> dict[str, dict[str, str]]:
    """Return `{"engine": {"status": "ready"}, "worker": {"status": "not ready", "reason": "..."}}`."""
    with ThreadPoolExecutor(len(PROBES)) as pool:
        answers = dict(zip(PROBES, pool.map(lambda probe: probe(), PROBES.values()), strict=True))
    return {
        name: {"status": "not ready", "reason": reason} if reason else {"status": "ready"}
        for name, reason in answers.items()
    }


def healthz(request: HttpRequest) -> JsonResponse:
    """200 as soon as this process answers requests."""
    return JsonResponse({"status": "ok", "process": "web"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every process serves, else 503; either way with the state of each."""
    processes = states()
    ready = all(state["status"] == "ready" for state in processes.values())
    body = {"status": "ready" if ready else "not ready", "processes": processes}
    response = JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})
    # Asked several times a second while everything starts: "not yet" is an answer, no error of this process.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
