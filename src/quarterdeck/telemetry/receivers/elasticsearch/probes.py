"""What clients ask before they send: who is there, may I use it, are your templates in place.

There are no templates, pipelines or policies here: a client that sets one up is told that it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from quarterdeck.telemetry.receivers.elasticsearch.answers import VERSION, answer
from quarterdeck.telemetry.receiving import Request, Route, Taken

_NAME = "quarterdeck"
ROOT = {
    "name": _NAME,
    "cluster_name": _NAME,
    "cluster_uuid": "cXVhcnRlcmRlY2stbG9ncw",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "tar",
        "build_hash": "0000000",
        "build_date": "2025-01-01T00:00:00Z",
        "build_snapshot": False,
        "lucene_version": "9.12.2",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    },
    "tagline": "You Know, for Search",
}
_LICENSE = {"license": {"status": "active", "uid": "0", "type": "basic", "mode": "basic", "issued_to": _NAME}}
HEALTH = {
    "cluster_name": _NAME,
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
    "active_primary_shards": 1,
    "active_shards": 1,
    "relocating_shards": 0,
    "initializing_shards": 0,
    "unassigned_shards": 0,
    "active_shards_percent_as_number": 100.0,
}
_XPACK = {
    "build": {"hash": "", "date": ""},
    "license": {"uid": "0", "type": "basic", "mode": "basic", "status": "active"},
    "features": {"ilm": {"available": True, "enabled": True}},
    "tagline": "",
}
_DONE = {"acknowledged": True}


def _says(body: object) -> Callable[[Request], Taken]:
    content = orjson.dumps(body)

    def taken(request: Request) -> Taken:
        return Taken((), answer(content, request))

    return taken


def _nodes(request: Request) -> Taken:
    """Sniffing clients go on to the address that they find here: the one under which they came."""
    address = request.headers.get("host", "127.0.0.1")
    node: dict[str, Any] = {"name": _NAME, "version": VERSION, "roles": ["ingest", "data"]}
    node["http"] = {"publish_address": address, "bound_address": [address]}
    body = {"_nodes": {"total": 1, "successful": 1, "failed": 0}, "cluster_name": _NAME, "nodes": {_NAME: node}}
    return Taken((), answer(orjson.dumps(body), request))


def _configured(request: Request) -> Taken:
    """A template, pipeline, policy or data stream: whatever is asked for is there, whatever is put is done."""
    return Taken((), answer(orjson.dumps({} if request.method in ("GET", "HEAD") else _DONE), request))


def _health_line(request: Request) -> Taken:
    text = f"0 00:00:00 {_NAME} green 1 1 1 1 0 0 0 0 - 100.0%\n".encode()
    found = answer(text, request)
    if "json" in request.headers.get("accept", "") or request.query.get("format") == "json":
        return Taken((), answer(orjson.dumps([{"cluster": _NAME, "status": "green"}]), request))
    return Taken((), type(found)(text, 200, "text/plain; charset=UTF-8", found.headers))


_LOOK = ("GET", "HEAD")
_CONFIGURED = (
    "/_template", "/_index_template", "/_component_template", "/_ilm/policy", "/_ingest/pipeline", "/_data_stream",
    "/_ilm/status", "/_alias", "/_aliases", "/_cluster/settings", "/_security/_authenticate",
)  # fmt: skip
_SET_UP = ("GET", "HEAD", "PUT", "POST")

ROUTES = (
    Route(_LOOK, "/", _says(ROOT), is_probe=True),
    Route(_LOOK, "/_license", _says(_LICENSE), is_probe=True),
    Route(_LOOK, "/_cluster/health", _says(HEALTH), is_probe=True),
    Route(_LOOK, "/_cat/health", _health_line, is_probe=True),
    Route(_LOOK, "/_nodes", _nodes, is_probe=True),
    Route(_LOOK, "/_nodes/{what:path}", _nodes, is_probe=True),
    Route(_LOOK, "/_xpack", _says(_XPACK), is_probe=True),
    *(Route(_SET_UP, path, _configured, is_probe=True) for path in _CONFIGURED),
    *(Route(_SET_UP, f"{path}/{{name:path}}", _configured, is_probe=True) for path in _CONFIGURED),
)
