"""Events in the engine, by the road that SDKs' events go: the receiver, then the loader."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.receivers.sentry.requests import envelope, take

from quarterdeck.errors.digesting import digest
from quarterdeck.errors.models import Issue
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.loading import Origin

PROJECT = 42


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def frame(function: str, module: str = "shop.orders", *, in_app: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "function": function,
        "module": module,
        "filename": module.replace(".", "/") + ".py",
        "abs_path": f"/srv/{module.replace('.', '/')}.py",
        "lineno": 17,
        "context_line": "    raise ValueError(order)",
        "pre_context": ["def place(order):", "    # check"],
        "post_context": [""],
        "in_app": in_app,
        **more,
    }


def raised(
    kind: str = "ValueError", value: str = "no such order", *functions: str, at: datetime | None = None, **more: Any
) -> dict[str, Any]:
    """An event of an exception that went through `functions`, a minute ago."""
    frames = [frame("main", "runpy", in_app=False), *(frame(name) for name in functions or ("place",))]
    return {
        "event_id": uuid4().hex,
        "timestamp": (at or ago(minutes=1)).timestamp(),
        "platform": "python",
        "level": "error",
        "server_name": "web1",
        "tags": {"service": "shop"},
        "exception": {"values": [{"type": kind, "value": value, "stacktrace": {"frames": frames}}]},
        **more,
    }


def send(*events: dict[str, Any], project: int = PROJECT) -> None:
    """Give the events to the engine at once."""
    frames = []
    for event in events:
        taken = take(envelope(("event", event), event_id=event["event_id"]), project=str(project))
        frames += [one for one in taken.frames if one.stream == "sentry.events"]
    loading.load(frames, Origin("sentry", 0, time.time_ns() // 1_000_000, {}), f"{time.time_ns()}")


def issues(*events: dict[str, Any], project: int = PROJECT) -> list[Issue]:
    """Give the events to the engine and bring the issues up to date; return all of them, the oldest first."""
    if events:
        send(*events, project=project)
    digest()
    return list(Issue.objects.filter(merged_into=None).order_by("first_seen", "pk"))
