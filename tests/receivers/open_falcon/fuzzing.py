"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable

from tests.receivers.requests import fed, only_refused, peer, request, take

from quarterdeck.telemetry.receivers.open_falcon import PLUGIN


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    transfer, heartbeat = PLUGIN.listeners
    return {
        "open_falcon agent": only_refused(lambda data: [take(PLUGIN, "/v1/push", request(data))]),
        "open_falcon transfer": only_refused(lambda data: [take(PLUGIN, "/api/push", request(data))]),
        "open_falcon rpc": only_refused(lambda data: fed(transfer.open(peer()), data[:11], data[11:])),
        "open_falcon heartbeat": only_refused(lambda data: fed(heartbeat.open(peer()), data[:11], data[11:])),
    }
