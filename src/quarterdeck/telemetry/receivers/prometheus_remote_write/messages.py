"""Remote write's messages. See https://github.com/prometheus/prometheus/blob/main/prompb/types.proto"""

from __future__ import annotations

from quarterdeck.telemetry import protos

MESSAGES = {
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
    "TimeSeries": {"labels": (1, "repeated Label"), "samples": (2, "repeated Sample")},
    "WriteRequest": {"timeseries": (1, "repeated TimeSeries")},
}
_FOUND = protos.define("prometheus", MESSAGES)
WRITE_REQUEST, TIME_SERIES = _FOUND["WriteRequest"], _FOUND["TimeSeries"]
# The same request, each of its series left as the bytes that it is on the wire.
SERIES_BYTES = protos.define("prometheus.bytes", {"WriteRequest": {"timeseries": (1, "repeated bytes")}})[
    "WriteRequest"
]
