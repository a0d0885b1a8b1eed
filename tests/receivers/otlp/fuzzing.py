"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.requests import request

from quarterdeck.telemetry.receivers.otlp.exchange import SIGNALS, take


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        f"otlp {signal} {kind}": _target(signal, f"application/{kind}")
        for signal in SIGNALS
        for kind in ("json", "x-protobuf")
    }


def _target(signal: str, content_type: str) -> Callable[[bytes], object]:
    return lambda data: take(signal)(request(data, content_type))
