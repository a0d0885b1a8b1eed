"""The pages of an item that show what it sends, through the whole stack to the engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from tests.api.conftest import ApiClient
from tests.receivers.sentry.requests import envelope, take
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.actions import create_token
from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import client, loading
from quarterdeck.telemetry.canonical import LogRow, Sender, SpanRow, frame_of_logs, frame_of_spans
from quarterdeck.telemetry.loading import Origin
from quarterdeck.telemetry.receiving import Frame

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
WEB = Sender("host", "web1", {"host.name": "web1"})
HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m\x1b[2J\x00\u202e"


@pytest.fixture
def as_owner(owner_user: User) -> Client:
    return signed_in(owner_user)


@pytest.fixture
def admin(db: None) -> ApiClient:
    return ApiClient(create_token(SYSTEM, "test", ["admin"])[1])


def _load(*frames: Frame) -> None:
    for frame in frames:
        loading.load([frame], Origin("otlp", 0, time.time_ns() // 1_000_000, {}), f"{time.time_ns()}")


def _seconds_ago(seconds: float) -> int:
    return time.time_ns() - int(seconds * 1e9)


@pytest.fixture
def sent(telemetry: Engine) -> dict[str, Item]:
    """web1 and the service shop that runs on it, with a line and two spans of hostile content."""
    for table in ("logs", "spans", "traces", "red_1m", "senders"):
        client.command(f"TRUNCATE TABLE {table}")
    line = LogRow(_seconds_ago(5), HOSTILE, "shop", "web1", level="error", sender=WEB, trace_id="ab" * 16)
    good = SpanRow("ab" * 16, "01" * 8, "GET /" + HOSTILE, _seconds_ago(5), 2_500_000, kind="server", service="shop",
                   host="web1", sender=WEB, attributes={"http.response.status_code": "200"})  # fmt: skip
    bad = SpanRow("cd" * 16, "02" * 8, "POST /pay", _seconds_ago(4), 70_000_000_000, kind="server", service="shop",
                  sender=WEB, is_error=True, status_message=HOSTILE)  # fmt: skip
    _load(frame_of_logs([line]), frame_of_spans([good, bad]))
    bind(SYSTEM)
    return {item.name: item for item in Item.objects.filter(name__in=("web1", "shop"))}


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.content[:800]
    return str(response.content.decode())


def test_a_line_is_shown_as_text_with_what_a_terminal_would_obey_made_visible(
    as_owner: Client, sent: dict[str, Item]
) -> None:
    for name in ("web1", "shop"):
        found = page(as_owner, f"/items/{sent[name].pk}/logs")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;red\\x1b[2J\\x00\\u202e" in found
        assert "\x1b" not in found
        assert "<script>alert" not in found
        assert "ab" * 16 in found


def test_a_services_requests_have_rate_errors_durations_and_spans(as_owner: Client, sent: dict[str, Item]) -> None:
    address = f"/items/{sent['shop'].pk}/requests"
    found = page(as_owner, address)
    assert "<script>alert" not in found
    for text in ("50%", "1 min 10 s", "2.5 ms", "cd" * 16, "POST /pay", ">200<"):
        assert text in found, text
    slowest = page(as_owner, f"{address}?order=slowest")
    assert slowest.index("cd" * 16) < slowest.index("ab" * 16)
    failed = page(as_owner, f"{address}?order=errors")
    assert ("cd" * 16 in failed, "ab" * 16 in failed) == (True, False)
    assert "cd" * 16 in page(as_owner, f"{address}?order=nonsense")


def test_a_host_shows_its_spans_without_figures_of_a_service(as_owner: Client, sent: dict[str, Item]) -> None:
    found = page(as_owner, f"/items/{sent['web1'].pk}/requests")
    assert "cd" * 16 in found
    assert "Answered requests" not in found


def test_charts_of_calls_leave_out_the_minute_that_is_not_over(as_owner: Client, sent: dict[str, Item]) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    row = SpanRow("ef" * 16, "03" * 8, "GET /", int(minute.timestamp()) * 10**9, 8_000_000, kind="server",
                  service="shop", sender=WEB)  # fmt: skip
    _load(frame_of_spans([row]))
    address = f"/items/{sent['shop'].pk}/requests"
    rate = as_owner.get(f"{address}/rate?range=15m").json()
    calls = dict(map(tuple, rate["series"][0]["points"]))
    assert calls[minute.timestamp() * 1000] == pytest.approx(1 / 60)
    assert max(calls) * 1.0 <= (time.time() - 60) * 1000
    duration = as_owner.get(f"{address}/duration?range=15m").json()
    assert (duration["unit"], [one["name"] for one in duration["series"]]) == ("ms", ["p50", "p95", "p99"])
    p99 = dict(map(tuple, duration["series"][2]["points"]))
    assert p99[minute.timestamp() * 1000] == pytest.approx(8, rel=0.1)
    assert as_owner.get(f"{address}/nonsense").status_code == 404


def test_errors_are_shown_as_text_with_what_tells_them_apart(
    as_owner: Client, admin: ApiClient, sent: dict[str, Item]
) -> None:
    client.command("TRUNCATE TABLE error_events")
    event = {
        "event_id": "9e" * 16, "timestamp": time.time() - 5, "server_name": "web1", "release": "shop@1.2.3",
        "environment": "prod", "tags": {"service": "shop"}, "level": "fatal",
        "exception": {"values": [{"type": "PaymentError", "value": HOSTILE, "mechanism": {"handled": False}}]},
    }  # fmt: skip
    body = envelope(("event", event), event_id=event["event_id"])
    for _twice in range(2):
        _load(*take(body).frames)
    bind(SYSTEM)
    found = page(as_owner, f"/items/{sent['web1'].pk}/errors")
    assert "PaymentError: &lt;script&gt;alert(1)&lt;/script&gt;red\\x1b[2J" in found
    assert "<script>alert" not in found
    for text in ("fatal", "unhandled", "prod", "1 event in this time"):
        assert text in found, text
    [row] = admin.call("GET", f"/items/{sent['web1'].pk}/errors").json()["items"]
    assert (row["event_id"], row["level"], row["type"], row["is_handled"]) == (
        event["event_id"],
        "fatal",
        "PaymentError",
        False,
    )
    assert len(bytes.fromhex(row["grouping_hash"])) == 8
    named = Item.objects.get(type__code="service", name=row["service"])
    assert "PaymentError" in page(as_owner, f"/items/{named.pk}/errors")
    assert "No errors in this time" in page(as_owner, f"/items/{actions.create_item(SYSTEM, 'host', 'x').pk}/errors")


def test_without_data_the_pages_say_what_to_do(as_owner: Client, telemetry: Engine) -> None:
    item = actions.create_item(SYSTEM, "host", "quiet")
    found = page(as_owner, f"/items/{item.pk}/logs")
    assert "No log lines in this time" in found
    assert f'href="{reverse("web:intake")}">Connect a sender' in found
    assert "No requests in this time" in page(as_owner, f"/items/{item.pk}/requests")
    other = actions.create_item(SYSTEM, "database", "db")
    tabs = page(as_owner, f"/items/{other.pk}")
    assert f"/items/{other.pk}/logs" not in tabs


def test_the_sources_tell_who_sends(as_owner: Client, sent: dict[str, Item]) -> None:
    found = page(as_owner, f"/items/{sent['web1'].pk}/sources")
    assert "Who sends telemetry" in found
    assert "<b>host.name</b>=web1" in found
    assert ">otlp<" in found


def test_what_one_may_not_see_does_not_exist(teammate_user: User, sent: dict[str, Item]) -> None:
    teammate = signed_in(teammate_user)
    for tab in ("logs", "errors", "requests", "requests/rate", "sources"):
        assert teammate.get(f"/items/{sent['web1'].pk}/{tab}").status_code == 404


def test_the_api_answers_the_same(admin: ApiClient, sent: dict[str, Item]) -> None:
    shop = sent["shop"].pk
    [line] = admin.call("GET", f"/items/{shop}/logs").json()["items"]
    assert (line["message"], line["level"], line["source"]) == (HOSTILE, "error", "otlp")
    spans: list[dict[str, Any]] = admin.call("GET", f"/items/{shop}/spans?order=errors").json()["items"]
    assert [(one["name"], one["duration_ns"]) for one in spans] == [("POST /pay", 70_000_000_000)]
    found = admin.call("GET", f"/items/{shop}/requests?since=30m").json()
    assert (found["answered"]["count"], found["answered"]["errors"], len(found["operations"])) == (2, 1, 2)
    [sender] = admin.call("GET", f"/items/{shop}/senders").json()["items"]
    assert (sender["kind"], sender["name"], sender["protocol"]) == ("service", "shop", "otlp")
    assert admin.call("GET", f"/items/{shop}/logs?until=1h&since=2h").json() == {"items": []}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("logs?since=0001-01-01T00:00:00Z&until=9999-12-31T00:00:00Z", 200),
        ("spans?since=1950-01-01&until=1960-01-01", 200),
        ("logs?since=yesterday", 422),
        ("logs?limit=5000", 422),
        ("spans?order=random", 422),
        ("requests?since=1970-01-01", 422),
        ("requests?since=1900-01-01&step_seconds=31536000", 200),
        ("requests?since=2199-01-01", 422),
    ],
)
def test_odd_times_are_answered_or_refused(admin: ApiClient, sent: dict[str, Item], query: str, status: int) -> None:
    response = admin.call("GET", f"/items/{sent['shop'].pk}/{query}")
    assert response.status_code == status, response.content
