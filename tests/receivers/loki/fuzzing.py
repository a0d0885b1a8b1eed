"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

import cramjam
from tests.lab.requests import request

from quarterdeck.telemetry.receivers.loki import _take


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        "loki json": lambda data: _take(request(data, "application/json")),
        "loki snappy": lambda data: _take(request(data)),
        "loki protobuf": lambda data: _take(request(bytes(cramjam.snappy.compress_raw(data)))),
    }
