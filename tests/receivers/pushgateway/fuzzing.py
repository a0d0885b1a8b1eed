"""What `make fuzz` feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.receivers.requests import NOW, only_refused, request

from quarterdeck.telemetry.receivers.pushgateway import PLUGIN
from quarterdeck.telemetry.receivers.pushgateway.groups import Groups
from quarterdeck.telemetry.receiving import Request, Taken

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


def take(sent: Request) -> Taken:
    """Give a request to the route of its method and path."""
    name = next(iter(sent.path))
    [route] = [route for route in PLUGIN.routes if f"{{{name}:path}}" in route.pattern and sent.method in route.methods]
    return route.take(sent)


def _pushed(content_type: str) -> Callable[[bytes], Iterable[Taken]]:
    def push(data: bytes) -> Iterable[Taken]:
        groups = Groups({})
        sent = request(data, "PUT", {"group": "job/a/b"}, headers={"content-type": content_type}, state=groups)
        yield take(sent)
        saved = groups.changes()
        # What is on disk is what was there.
        assert Groups(saved).flush(NOW)[0].frames == groups.flush(NOW)[0].frames
        yield from groups.flush(NOW).values()

    return push


def _path(name: str) -> Callable[[bytes], Iterable[Taken]]:
    def push(data: bytes) -> Iterable[Taken]:
        yield take(request(b"a 1\n", "POST", {name: data.decode(errors="replace")}, state=Groups({})))

    return push


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        "pushgateway text": only_refused(_pushed("text/plain")),
        "pushgateway openmetrics": only_refused(_pushed("application/openmetrics-text; version=1.0.0")),
        "pushgateway protobuf": only_refused(_pushed(PROTOBUF)),
        "pushgateway path": only_refused(_path("group")),
        "pushgateway encoded path": only_refused(_path("encoded")),
    }
