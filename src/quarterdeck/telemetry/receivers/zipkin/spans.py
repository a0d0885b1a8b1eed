"""Zipkin's spans in JSON: checked, and written again with nothing but what is known, one line each, at C speed.

See https://zipkin.io/zipkin-api/zipkin2-api.yaml
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quarterdeck.telemetry.receiving import Refused

# Up to the year 2255: nanoseconds of it still fit 64 bits.
MICROSECONDS_MAX = 9_000_000_000_000_000
_TraceId = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{1,32}\Z")]
_SpanId = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{1,16}\Z")]
_Microseconds = Annotated[int, Meta(ge=0, le=MICROSECONDS_MAX)]
_Port = Annotated[int, Meta(ge=0, le=65535)]


class Endpoint(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One end of a call."""

    service_name: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    port: _Port | None = None


class Annotation(msgspec.Struct, omit_defaults=True):
    """Something that happened within a span, in microseconds since 1970."""

    timestamp: _Microseconds = 0
    value: str | None = None


class Span(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A span; `timestamp` is in microseconds since 1970, `duration` in microseconds."""

    trace_id: _TraceId
    id: _SpanId
    parent_id: _SpanId | None = None
    kind: Literal["CLIENT", "SERVER", "PRODUCER", "CONSUMER"] | None = None
    name: str | None = None
    timestamp: _Microseconds | None = None
    duration: _Microseconds | None = None
    local_endpoint: Endpoint | None = None
    remote_endpoint: Endpoint | None = None
    annotations: list[Annotation] | None = None
    tags: dict[str, str] | None = None
    shared: bool | None = None


_decoder = msgspec.json.Decoder(list[Span])
_encoder = msgspec.json.Encoder()


def read(body: bytes) -> list[Span]:
    """Return the spans of a JSON list. Raises Refused."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the body is no list of Zipkin spans: {error}") from error


def lines(found: Sequence[Span]) -> bytes:
    """Return one line of JSON for each span. What is null or unknown is left out, so that the engine can read all."""
    return _encoder.encode_lines(found)[:-1]
