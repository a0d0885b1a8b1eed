"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable

from tests.receivers.requests import fed, only_refused, peer

from quarterdeck.telemetry.receivers.graphite import PLUGIN


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    [listener] = PLUGIN.listeners
    return {"graphite": only_refused(lambda data: fed(listener.open(peer()), data[:7], data[7:]))}
