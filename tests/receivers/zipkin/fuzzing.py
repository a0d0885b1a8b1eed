"""The doors of this receiver through which a stranger's bytes come."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from quarterdeck.telemetry.receivers.zipkin import PLUGIN
from quarterdeck.telemetry.receiving import Refused, Request

_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_TAKE = {route.pattern: route.take for route in PLUGIN.routes}


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    """Return functions that take arbitrary bytes and raise nothing but Refused."""
    return {
        "zipkin.v2": _target("/api/v2/spans", "application/json"),
        "zipkin.v1": _target("/api/v1/spans", "application/json"),
        "zipkin.protobuf": _target("/api/v2/spans", "application/x-protobuf"),
    }


def _target(path: str, content_type: str) -> Callable[[bytes], None]:
    def take(body: bytes) -> None:
        with contextlib.suppress(Refused):
            request = Request("POST", {}, {}, {"content-type": content_type}, body, "192.0.2.7", _NOW)
            for frame in _TAKE[path](request).frames:
                if frame.stream == "zipkin.json":
                    assert frame.records == len([orjson.loads(line) for line in frame.content.split(b"\n")])

    return take
