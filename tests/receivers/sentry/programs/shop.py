"""A program that reports to Sentry by its own SDK: `shop.py SCENARIO`, the DSN in SENTRY_DSN, its names in SHOP."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import sentry_sdk
from sentry_sdk import metrics
from sentry_sdk.crons import monitor
from sentry_sdk.envelope import Envelope, Item, PayloadRef

NAME = os.environ["SHOP"]


def start(**more: Any) -> None:
    sentry_sdk.init(
        os.environ["SENTRY_DSN"],
        traces_sample_rate=1.0,
        enable_logs=True,
        release=f"{NAME}@1.2.3",
        environment="prod",
        server_name=f"{NAME}-host",
        **more,
    )
    sentry_sdk.set_tag("service", NAME)
    sentry_sdk.set_user({"id": "user-7", "email": "ada@example.org"})


def charge(settings: dict[str, str]) -> None:
    card = "4111 1111 1111 1111"
    raise ZeroDivisionError(f"cannot charge {card} of {settings['name']}")


def errors() -> dict[str, Any]:
    """A chain of two exceptions inside a transaction, and an error of the logging module."""
    start()
    found: dict[str, Any] = {}
    with sentry_sdk.start_transaction(op="http.server", name="POST /orders"):
        with sentry_sdk.start_span(op="db", name="SELECT * FROM orders WHERE id = 5") as span:
            span.set_data("db.system", "postgresql")
            found["trace_id"] = span.trace_id
        try:
            try:
                charge({"name": "ada", "password": "hunter22"})
            except ZeroDivisionError as error:
                raise ValueError("order 17 failed: password=hunter22") from error
        except ValueError as error:
            found["exception"] = sentry_sdk.capture_exception(error)
    logging.getLogger("shop.payment").error(
        "payment %s of %s failed 支付失败", 17, "Bearer abcdefghijklmnop", extra={"order": 17}
    )
    return found


def telemetry() -> dict[str, Any]:
    """Structured logs and metrics."""
    start()
    sentry_sdk.logger.warning("stock of {thing} is low", thing="bread", attributes={"shelf": 3})
    logging.getLogger("shop.stock").error("no bread, token secret=abcdefgh")
    metrics.count("orders", 2, attributes={"kind": "web"})
    metrics.count("orders", 3, attributes={"kind": "web"})
    metrics.gauge("queue.length", 7)
    metrics.distribution("checkout", 250.5, unit="millisecond")
    return {}


def health() -> dict[str, Any]:
    """A scheduled job, sessions, an attachment, feedback, and a report of what was not sent."""
    start()

    @monitor(monitor_slug=f"{NAME}-nightly", monitor_config={"schedule": {"type": "crontab", "value": "0 3 * * *"}})
    def nightly() -> None:
        time.sleep(0.05)

    @monitor(monitor_slug=f"{NAME}-broken")
    def broken() -> None:
        raise RuntimeError("the job broke")

    nightly()
    with suppress(RuntimeError):
        broken()
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session(session_mode="application")
    with sentry_sdk.new_scope() as inner:
        inner.add_attachment(bytes=b"first line\npassword=hunter22\n", filename="shop.log", content_type="text/plain")
        inner.add_attachment(bytes=bytes(range(256)), filename="core.bin")
        event_id = sentry_sdk.capture_exception(KeyError("bread"))
    scope.end_session()
    with sentry_sdk.isolation_scope() as request:
        request.start_session(session_mode="request")
        request.end_session()
    client = sentry_sdk.get_client()
    report = {"event_id": event_id, "name": "Ada", "email": "ada@example.org", "comments": "no bread, pwd=hunter22"}
    transport = client.transport
    assert transport is not None
    transport.capture_envelope(Envelope(items=[Item(PayloadRef(json=report), type="user_report")]))
    transport.record_lost_event("sample_rate", data_category="error", quantity=3)
    return {"exception": event_id}


def flask() -> dict[str, Any]:
    """An exception that nobody handles, in a web framework that the SDK knows."""
    from flask import Flask

    start()
    app = Flask(NAME)

    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        raise LookupError(f"no order {number}")

    answer = app.test_client().get("/orders/17?coupon=x")
    return {"status": answer.status_code}


def big() -> dict[str, Any]:
    """An event just under the limit, and one over it."""
    start(max_value_length=100_000, max_request_body_size="always")

    def grow(count: int) -> Callable[[Any, Any], Any]:
        return lambda event, hint: {**event, "extra": {f"page {n}": "x" * 99_000 for n in range(count)}}

    found = {}
    for name, count in (("small", 9), ("large", 12)):
        sentry_sdk.get_client().options["before_send"] = grow(count)
        found[name] = sentry_sdk.capture_message(f"{name} event")
        sentry_sdk.flush(30)
    return found


def flood() -> dict[str, Any]:
    """Far more errors than the key may send; then say how many the SDK held back by itself."""
    sentry_sdk.init(
        os.environ["SENTRY_DSN"], server_name=f"{NAME}-host", release=f"{NAME}@1", default_integrations=False
    )
    sentry_sdk.set_tag("service", NAME)
    held_back = 0
    transport = sentry_sdk.get_client().transport
    assert transport is not None
    before = transport.record_lost_event

    def counted(reason: str, data_category: Any = None, item: Any = None, **named: Any) -> None:
        nonlocal held_back
        held_back += reason == "ratelimit_backoff" and "error" in (data_category, item and item.data_category)
        before(reason, data_category, item, **named)

    transport.record_lost_event = counted  # type: ignore[method-assign]
    for number in range(60):
        sentry_sdk.capture_message(f"flood {number}")
    sentry_sdk.flush(60)
    disabled = {str(name): until.timestamp() - time.time() for name, until in transport._disabled_until.items()}
    time.sleep(max(disabled.values(), default=0) + 1)
    late = sentry_sdk.capture_message("after the flood")
    sentry_sdk.flush(10)
    return {"held_back": held_back, "disabled": disabled, "late": late}


if __name__ == "__main__":
    outcome = {"errors": errors, "telemetry": telemetry, "health": health, "flask": flask, "big": big, "flood": flood}[
        sys.argv[1]
    ]()
    sentry_sdk.flush(30)
    sentry_sdk.get_client().close(10)
    sys.stdout.write(json.dumps(outcome))
