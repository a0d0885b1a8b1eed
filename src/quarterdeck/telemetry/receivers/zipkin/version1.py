"""Zipkin's older JSON: what a span is, its annotations tell (`cs` client send, `sr` server receive, ...).

See https://github.com/openzipkin/zipkin-api/blob/master/zipkin-api.yaml
"""

from __future__ import annotations

from typing import Any

import msgspec

from quarterdeck.telemetry.receivers.zipkin.spans import Annotation, Endpoint, Span
from quarterdeck.telemetry.receiving import Refused


class _Happened(msgspec.Struct):
    timestamp: int = 0
    value: str = ""
    endpoint: Endpoint | None = None


class _Told(msgspec.Struct):
    key: str = ""
    value: str | bool | int | float | None = None
    endpoint: Endpoint | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str
    id: str
    parent_id: str | None = None
    name: str | None = None
    timestamp: int | None = None
    duration: int | None = None
    annotations: list[_Happened] | None = None
    binary_annotations: list[_Told] | None = None


_decoder = msgspec.json.Decoder(list[_Span])
# A kind by the annotations that begin and end it; the binary annotation that names the other end.
_KINDS = {
    "CLIENT": ("cs", "cr", "sa"),
    "SERVER": ("sr", "ss", "ca"),
    "PRODUCER": ("ms", "", "ma"),
    "CONSUMER": ("mr", "", "ma"),
}
_CORE = frozenset({"cs", "cr", "sr", "ss", "ms", "mr"})


def spans_of_version_1(body: bytes) -> list[Span]:
    """Return the spans of version 1; one that holds both halves of a call becomes two. Raises Refused."""
    try:
        found = [_convert(one, kind) for one in _decoder.decode(body) for kind in _kinds(one)]
        # Limits are those of version 2.
        return msgspec.convert(found, list[Span])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the body is no list of Zipkin spans of version 1: {error}") from error


def _kinds(span: _Span) -> list[str]:
    values = {one.value for one in span.annotations or ()}
    return [kind for kind, (begin, end, _address) in _KINDS.items() if {begin, end} - {""} & values] or [""]


def _convert(span: _Span, kind: str) -> dict[str, Any]:
    begin, end, address = _KINDS.get(kind, ("", "", ""))
    at = {one.value: one for one in reversed(span.annotations or ()) if one.value in _CORE}
    started, ended = at.get(begin), at.get(end)
    told = span.binary_annotations or []
    is_second = kind == "SERVER" and "cs" in at
    local = next((one.endpoint for one in (started, ended) if one and one.endpoint), None) or _first_endpoint(span)
    remote = next((one.endpoint for one in told if one.key == address and isinstance(one.value, bool)), None)
    timestamp = started.timestamp if started and (is_second or span.timestamp is None) else span.timestamp
    duration = span.duration
    if started and ended and (is_second or duration is None):
        duration = max(0, ended.timestamp - started.timestamp)
    return {
        "traceId": span.trace_id,
        "id": span.id,
        "parentId": span.parent_id,
        "kind": kind or None,
        "name": span.name,
        "timestamp": timestamp,
        "duration": duration,
        "localEndpoint": msgspec.to_builtins(local) if local else None,
        "remoteEndpoint": msgspec.to_builtins(remote) if remote else None,
        "annotations": [
            msgspec.to_builtins(Annotation(one.timestamp, one.value))
            for one in span.annotations or ()
            if one.value not in _CORE
        ],
        "tags": {one.key: _text(one.value) for one in told if one.key not in ("ca", "sa", "ma")},
        "shared": True if is_second else None,
    }


def _first_endpoint(span: _Span) -> Endpoint | None:
    everything = (*(span.annotations or ()), *(span.binary_annotations or ()))
    return next((one.endpoint for one in everything if one.endpoint and one.endpoint.service_name), None)


def _text(value: str | bool | int | float | None) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value).lower()
