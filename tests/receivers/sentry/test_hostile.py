"""Whatever comes: refused or kept, never a crash, never a bad row. `make fuzz` goes on where this stops."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.receivers.sentry.fuzzing import fuzz_targets
from tests.receivers.sentry.requests import envelope, rows, take
from tests.receivers.sentry.strategies import envelopes, objects, values

from quarterdeck.telemetry.receiving import Refused

_DOORS = fuzz_targets()


@seed(20261126)
@settings(max_examples=100, deadline=None)
@given(envelopes())
def test_envelopes(body: bytes) -> None:
    _DOORS["sentry-envelope"](body)


@seed(20261126)
@settings(max_examples=100, deadline=None)
@given(objects.map(orjson.dumps) | values.map(orjson.dumps) | st.binary(max_size=200))
def test_events_and_reports(body: bytes) -> None:
    _DOORS["sentry-store"](body)
    _DOORS["sentry-security"](body)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"exception":{"values":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"message":' + b"9" * 5000 + b"}",
        b'{"message":"' + b"a" * 200_000 + b'"}',
        b'{"message":"' + b"f" * 8000 + b'"}',
        b'{"message":"\xed\xa0\x80"}',
        b'{"timestamp":-Infinity}',
        orjson.dumps({"tags": {f"label {number}": "v" for number in range(10_000)}}),
        orjson.dumps({"exception": {"values": [{"type": "E"}] * 10_000}}),
        orjson.dumps({"extra": [[]] * 200_000}),
    ],
    ids=lambda payload: payload[:20].decode("ascii", "replace"),
)
@pytest.mark.parametrize("kind", ["event", "transaction", "log", "trace_metric", "span", "check_in"])
def test_heavy_payloads_cost_little(kind: str, payload: bytes) -> None:
    started = time.process_time()
    _DOORS["sentry-envelope"](envelope((kind, payload)))
    assert time.process_time() - started < 5


def test_a_metric_with_ten_thousand_labels_is_counted_not_kept() -> None:
    labels = {f"label_{number}": {"value": "v", "type": "string"} for number in range(10_000)}
    taken = take(
        envelope(("trace_metric", {"items": [{"name": "m", "value": 1, "type": "gauge", "attributes": labels}]}))
    )
    assert (list(taken.frames), taken.refused) == ([], {"too_many_labels": 1})


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "soon", None, -5, 1e18])
def test_times_out_of_reach_are_those_of_arrival_or_left_to_the_engine(at: object) -> None:
    [row] = rows(take(envelope(("event", {"timestamp": at}))), "sentry.events")
    assert 0 < row["at"] < 2**63


def test_an_envelope_of_length_prefixes_that_lie_is_refused() -> None:
    with pytest.raises(Refused, match="ends before"):
        take(b'{}\n{"type":"attachment","length":1073741824}\nx')
