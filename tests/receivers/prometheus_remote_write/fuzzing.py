"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable

from tests.receivers.requests import only_refused, request, take

from quarterdeck.telemetry.receivers.prometheus_remote_write import PLUGIN


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {"prometheus_remote_write": only_refused(lambda data: [take(PLUGIN, "/api/v1/write", request(data))])}
