"""Queries whose series do not fit into memory together are answered series by series, with the same answer."""

from __future__ import annotations

import time

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.telemetry import client
from quarterdeck.telemetry.promql import answering, sizes
from quarterdeck.telemetry.promql.answering import Answer, Limits
from quarterdeck.telemetry.promql.plan import Scope

pytestmark = pytest.mark.slow
_SERIES, _SAMPLES, _STEP_S = 4000, 240, 15
_FILL = """
    INSERT INTO metrics_in (protocol, received, metric_name, labels, timestamps, values)
    SELECT 'bench', now64(3), 'memory_requests_total', map('number', toString(number)),
        arrayMap(i -> fromUnixTimestamp64Milli(({start:Int64} + i * 15) * 1000), range({samples:UInt32})),
        arrayMap(i -> toFloat64(i * (number + 1)), range({samples:UInt32}))
    FROM numbers({series:UInt32})"""


def test_it_answers_series_by_series_what_does_not_fit_at_once(engine: Engine) -> None:
    start_s = (int(time.time()) - _SAMPLES * _STEP_S) // _STEP_S * _STEP_S
    client.command(_FILL, {"start": start_s, "samples": _SAMPLES, "series": _SERIES})
    end_s = start_s + _SAMPLES * _STEP_S - _STEP_S

    def asked(query: str, memory_mb: int) -> Answer:
        bounds = ((start_s + 300) * 1000, end_s * 1000, _STEP_S * 1000)
        return answering.over_range(query, *bounds, Scope(), Limits(memory_bytes=memory_mb << 20))

    roomy, tight = "rate(memory_requests_total[5m])", "rate(memory_requests_total[300s])"
    at_once, one_by_one = asked(roomy, 512), asked(tight, 80)
    assert len(at_once.series) == _SERIES
    assert at_once.series == one_by_one.series
    assert (sizes.is_large(roomy), sizes.is_large(tight)) == (False, True)
