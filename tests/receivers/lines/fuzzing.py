"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.requests import request

from quarterdeck.telemetry.receivers.lines import _take


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        "lines text": lambda data: _take(request(data, "text/plain")),
        "lines json": lambda data: _take(request(data, "application/x-ndjson")),
    }
