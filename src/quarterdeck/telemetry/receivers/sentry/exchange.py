"""Requests and answers: who sends, and what they are told.

See https://develop.sentry.dev/sdk/foundations/transport/authentication/ and .../transport/rate-limiting/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from urllib.parse import urlsplit

import orjson

from quarterdeck.telemetry.receivers.sentry import batches
from quarterdeck.telemetry.receivers.sentry.batches import Batch
from quarterdeck.telemetry.receivers.sentry.envelopes import header_of, items
from quarterdeck.telemetry.receivers.sentry.items import EVENT_MAX_BYTES, add_any_event, add_item, check_size
from quarterdeck.telemetry.receivers.sentry.security import add_reports
from quarterdeck.telemetry.receivers.sentry.values import hex_id, load_object
from quarterdeck.telemetry.receiving import Answer, Problem, Refused, Request, Taken

_JSON = "application/json"
_ITEMS_MAX = 100_000
_KEY = re.compile(r"\bsentry_key\s*=\s*([^,\s]+)")
# Browsers send from any page, and their SDKs have to read these headers.
CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-sentry-error, x-sentry-rate-limits, retry-after",
}
_PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept,"
    " content-type, authentication, authorization, content-encoding, transfer-encoding, sentry-trace, baggage",
    "access-control-max-age": "3600",
}
# What clients must hold back when a stream's key is over its rate. Each SDK has its own name for some of them.
_CATEGORIES = {
    batches.EVENTS: ("default", "error", "security"),
    batches.SPANS: ("transaction", "span"),
    batches.LOGS: ("log_item", "log_byte"),
    batches.METRICS: ("trace_metric",),
    batches.SESSIONS: ("session",),
    batches.CHECK_INS: ("monitor",),
    batches.ATTACHMENTS: ("attachment",),
    batches.FEEDBACK: ("feedback", "default"),
    batches.CLIENT_REPORTS: ("internal",),
}


def credential(request: Request) -> str:
    """Return the DSN's public key, which is the intake key: from a header, the query or the envelope's own DSN."""
    for name in ("x-sentry-auth", "authorization"):
        found = _KEY.search(request.headers.get(name, ""))
        if found:
            return found[1]
    return request.query.get("sentry_key", "") or _key_in_body(request)


def _key_in_body(request: Request) -> str:
    if not request.body.startswith(b"{") or b'"dsn"' not in request.body[:4096]:
        return ""
    try:
        dsn = header_of(request.body).get("dsn")
        return urlsplit(dsn).username or "" if isinstance(dsn, str) else ""
    except (Refused, ValueError):
        return ""


def _batch(request: Request) -> Batch:
    """Return an empty batch for the request's project. Raises Refused."""
    project = request.path["project"]
    if not (project.isascii() and project.isdigit() and len(project) <= 18):
        raise Refused("the project in the address is no number", reason="project")
    if request.key and int(project) != request.key:
        raise Refused(f"the key belongs to project {request.key}, not {project}", reason="project", status=403)
    received_ns = round(request.now.timestamp() * 1e6) * 1000
    seed = hashlib.blake2b(request.body + request.peer.encode() + received_ns.to_bytes(8, "big"), digest_size=16)
    return Batch(int(project), received_ns, seed.digest())


def _taken(batch: Batch, status: int = 200) -> Taken:
    """Return what the batch holds. Raises Refused when it holds nothing because nothing in it could be read."""
    frames = batch.frames()
    if not frames and batch.refused["malformed"]:
        raise Refused("nothing in the request can be read", reason="malformed")
    body = orjson.dumps({"id": batch.event_id} if batch.event_id else {})
    return Taken(frames, Answer(body, status, _JSON, CORS), dict(batch.refused))


def take_envelope(request: Request) -> Taken:
    """Take an envelope."""
    batch = _batch(request)
    batch.event_id = hex_id(header_of(request.body).get("event_id"), 32)
    for count, item in enumerate(items(request.body)):
        if count >= _ITEMS_MAX:
            raise Refused(f"an envelope has at most {_ITEMS_MAX} items", reason="too_many_items", status=413)
        add_item(item, batch)
    return _taken(batch)


def take_store(request: Request) -> Taken:
    """Take one event by itself, as SDKs sent it before there were envelopes."""
    batch = _batch(request)
    check_size(request.body, EVENT_MAX_BYTES, "event")
    add_any_event(load_object(_unwrapped(request.body)), batch)
    return _taken(batch)


def _unwrapped(body: bytes) -> bytes:
    """Return the JSON of a body that the oldest SDKs made: zlib in base64, without saying so."""
    if body.lstrip()[:1] in (b"{", b""):
        return body
    try:
        decoder = zlib.decompressobj()
        found = decoder.decompress(base64.b64decode(body, validate=True), EVENT_MAX_BYTES + 1)
    except (binascii.Error, zlib.error):
        return body
    check_size(found, EVENT_MAX_BYTES, "event")
    return found


def take_security(request: Request) -> Taken:
    """Take reports of browsers; those are told 201."""
    batch = _batch(request)
    check_size(request.body, EVENT_MAX_BYTES, "report")
    add_reports(request.body, request.query, request.headers.get("user-agent", "")[:400], batch)
    return _taken(batch, 201)


def take_minidump(request: Request) -> Taken:
    """Refuse, since nothing here could read a crash dump. Raises Refused always."""
    raise Refused("minidumps are not read here; events of the SDK's own are", reason="minidump", status=501)


def preflight(request: Request) -> Taken:
    return Taken(answer=Answer(status=204, headers=_PREFLIGHT))


def problem(problem: Problem) -> Answer:
    """Return a failure in Sentry's form. What may be sent later is a 429: SDKs obey no other status."""
    status = 429 if problem.retry_after_seconds else {("bad_key", 401): 403}.get((problem.reason, problem.status))
    headers = {**CORS, "x-sentry-error": problem.message.encode("ascii", "replace").decode().replace("\n", " ")[:500]}
    if problem.retry_after_seconds:
        headers["x-sentry-rate-limits"] = _rate_limits(problem)
    body = orjson.dumps({"detail": problem.message, "causes": [problem.reason]})
    return Answer(body, status or problem.status, _JSON, headers)


def _rate_limits(problem: Problem) -> str:
    """Return `60:error;default:key:rate`; no category stands for all."""
    found = {category: None for stream in problem.streams for category in _CATEGORIES.get(stream, ())}
    return f"{problem.retry_after_seconds}:{';'.join(found)}:key:{problem.reason}"
