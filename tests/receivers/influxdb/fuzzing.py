"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable

from tests.receivers.requests import only_refused, request, take

from quarterdeck.telemetry.receivers.influxdb import PLUGIN


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        f"influxdb {path}": only_refused(lambda data, path=path: [take(PLUGIN, path, request(data))])  # type: ignore[misc]
        for path in ("/write", "/api/v2/write", "/query")
    }
