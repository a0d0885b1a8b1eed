"""What hostile or broken clients send: values where others are expected, framing that lies."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import strategies as st
from tests.receivers.sentry.requests import EVENT_ID, NOW_S, SPAN_ID, TRACE_ID

KINDS = (
    "event", "transaction", "feedback", "user_report", "session", "sessions", "check_in", "client_report", "span",
    "log", "trace_metric", "metric", "attachment", "profile", "",
)  # fmt: skip
_NAMES = (
    "event_id", "timestamp", "start_timestamp", "end_timestamp", "message", "level", "logentry", "formatted",
    "exception", "values", "type", "value", "stacktrace", "frames", "function", "module", "filename", "in_app",
    "mechanism", "handled", "synthetic", "tags", "fingerprint", "contexts", "trace", "trace_id", "span_id",
    "parent_span_id", "op", "status", "description", "data", "spans", "links", "measurements", "user", "id", "sdk",
    "name", "version", "server_name", "release", "environment", "items", "attributes", "body", "unit", "sid", "did",
    "init", "started", "errors", "seq", "duration", "attrs", "aggregates", "exited", "crashed", "monitor_slug",
    "check_in_id", "monitor_config", "discarded_events", "reason", "category", "quantity", "feedback", "comments",
    "email", "threads", "request", "url", "otel", "resource",
)  # fmt: skip
_INTERESTING = st.sampled_from(
    [
        EVENT_ID, TRACE_ID, SPAN_ID, "0" * 32, "z" * 32, NOW_S, -1, 0, 0.0, 1e300, -1e300, 2**63, -(2**63), 4102444800,
        "2026-11-26T12:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "nan", "inf", "1e999",
        "{{ default }}", "%999999999d", "ok", "error", "in_progress", "crashed", "\0", "\ufffe", "支付",
        "x" * 9000, "http.server", "db",
        "counter", True, False, None, "", [], {},
    ]
)  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    _INTERESTING | st.text(max_size=20) | st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=9), inner, max_size=6)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(_NAMES), values, max_size=14)


def _plausible(found: dict[str, Any]) -> dict[str, Any]:
    """Give an object what its kind needs to get past the first look."""
    return {
        "event_id": EVENT_ID, "trace_id": TRACE_ID, "span_id": SPAN_ID, "sid": EVENT_ID, "monitor_slug": "m",
        "status": "ok", "start_timestamp": NOW_S, "timestamp": NOW_S, "value": 1, "name": "n",
        "attrs": {"release": "r"},
        "contexts": {"trace": {"trace_id": TRACE_ID, "span_id": SPAN_ID}, "feedback": {"message": "m"}}, **found,
    }  # fmt: skip


@st.composite
def items(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(KINDS))
    found = draw(objects | objects.map(_plausible))
    inner = draw(st.sampled_from(["plain", "items", "bytes"]))
    if inner == "bytes":
        payload = draw(st.binary(max_size=60))
    else:
        payload = orjson.dumps({"version": 2, "items": [found, 5, found]} if inner == "items" else found)
    header: dict[str, Any] = {
        "type": kind,
        **draw(st.dictionaries(st.sampled_from(("filename", "content_type")), values, max_size=2)),
    }
    length = draw(st.sampled_from(["right", "none", "wrong"]))
    if length != "none":
        header["length"] = (
            len(payload) if length == "right" else draw(st.integers(-2, 2**70) | st.none() | st.booleans())
        )
        header = {name: value for name, value in header.items() if not isinstance(value, int) or abs(value) < 2**63}
    return orjson.dumps(header) + b"\n" + payload


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """Envelopes that are mostly right, cut off now and then."""
    header = orjson.dumps(draw(objects))
    body = b"\n".join([header, *draw(st.lists(items(), max_size=5))])
    cut = draw(st.integers(0, len(body)) | st.none())
    return body if cut is None else body[:cut]
