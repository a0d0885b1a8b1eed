"""CAT's router: a client asks where to send its trees, and which share of them.

The C client (and those of other languages around it) asks in a way of its own: "Get http://host:port/cat/s/router?...
HTTP/1.0" with a header that has no colon. Servers of HTTP refuse that, so that it is read here, on CAT's own port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import orjson

from quarterdeck.telemetry.receiving import Answer, Refused, Request, Taken

PATH = "/cat/s/router"
# A client's buffer for the request has 512 bytes for path and query.
REQUEST_MAX_BYTES = 8192
_REQUEST = re.compile(
    rb"get +(?:http://(?P<host>[^/ :]*)(?::[0-9]*)?)?(?P<path>/[^ ?]*)[^ ]* +http/1\.[01]", re.IGNORECASE
)


def is_http(start: bytes) -> bool:
    """Whether a connection begins as a request does; as the length of a frame it would be over a gigabyte."""
    return start[:4].lower() == b"get "


def answer_to(head: bytes, local: str, settings: Mapping[str, Any]) -> bytes:
    """Return the whole answer to a request. Raises Refused."""
    match = _REQUEST.match(head)
    if match is None or match["path"] != PATH.encode():
        return _http("404 Not Found", "text/plain", b"only /cat/s/router is here\n")
    told = (match["host"] or b"").decode("latin-1")
    return _http("200 OK", "application/json", routers(settings, local, told))


def _http(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def take(request: Request) -> Taken:
    """Answer clients that speak HTTP as others do (Java's)."""
    host = request.headers.get("host", "").rpartition(":")[0]
    return Taken((), Answer(routers(request.settings, request.local, host), 200, "application/json"))


def routers(settings: Mapping[str, Any], local: str, told: str) -> bytes:
    """Return the answer; all values are texts, as the clients' parsers want them. Raises Refused."""
    host, _, port = str(settings.get("intake_cat", "")).rpartition(":")
    if not port:
        raise Refused("CAT is switched off here", reason="off", status=404)
    share = int(settings.get("cat_sample_percent", 100)) / 100
    where = f"{_reached(host, local, told)}:{port};"
    return orjson.dumps({"kvs": {"routers": where, "sample": str(share), "block": "false"}})


def _reached(*candidates: str) -> str:
    """Return the IPv4 address of ours that the client can reach; its parser takes no name."""
    for candidate in candidates:
        try:
            address = ipaddress.IPv4Address(candidate)
        except ValueError:
            continue
        if not address.is_unspecified:
            return str(address)
    raise Refused("a CAT client needs an IPv4 address of ours; set QD_INTAKE_CAT to one", reason="address", status=503)
