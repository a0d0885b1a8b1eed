"""From a client's SDK to the item's page by command line: seconds later it is there, and it can be adopted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.opentelemetry import run_service
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def test_an_unknown_service_is_an_item_with_its_data_and_is_adopted(intake: IntakeLab) -> None:
    service, host = intake.unique("shop"), intake.unique("box")
    traces = run_service(intake.url, service, host)

    def rows(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(intake.instance.qd("items", *words, "-o", "json").stdout)
        return found

    query = f"label.claim:unclaimed name:({service} OR {host})"
    wait_until(lambda: len(rows("list", "-q", query)) == 2, "both items", 30)
    assert {row["type"] for row in rows("list", "-q", query)} == {"service", "host"}
    messages = [row["message"] for row in rows("logs", service)]
    assert messages[0] == "\x1b[31mpayment failed\x1b[0m <b>!</b>"
    assert len(messages) == 6
    failed = rows("spans", service, "--order", "errors")
    assert [(row["name"], row["trace_id"]) for row in failed] == [("GET /orders", traces[-1])]
    counted = json.loads(intake.instance.qd("items", "requests", service, "-o", "json").stdout)["operations"]
    assert {(one["name"], one["kind"], one["count"], one["errors"]) for one in counted} == {
        ("GET /orders", "server", 5, 1),
        ("SELECT orders", "client", 5, 0),
    }
    assert {row["protocol"] for row in rows("senders", host)} == {"otlp"}
    status, metrics = intake.instance.get(
        f"/api/v1/items/{rows('list', '-q', f'name:{host}')[0]['id']}/metrics", token=intake.instance.token
    )
    assert status == 200
    assert "orders_total" in {row["metric"] for row in metrics["items"]}
    done = intake.instance.qd("items", "adopt", f"name:({service} OR {host})")
    assert "2 adopted; `qd changes undo" in done.stderr
    assert rows("list", "-q", query) == []
