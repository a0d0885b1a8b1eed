"""What the receiver makes of requests, without a server."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import orjson
import pytest
from tests.receivers.sentry.requests import EVENT_ID, NOW_S, SPAN_ID, TRACE_ID, envelope, payload, request, rows, take

from quarterdeck.telemetry.receivers.sentry import PLUGIN
from quarterdeck.telemetry.receiving import Problem, Refused


def _event(**more: Any) -> dict[str, Any]:
    return {"event_id": EVENT_ID, "timestamp": NOW_S, "message": "no such order", **more}


def test_it_reads_items_with_and_without_length() -> None:
    body = (
        b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n'
        b'{"type":"attachment","length":10,"filename":"a.txt"}\n\xef\xbb\xbfHe\nllo\n\n'
        b'{"type":"event","length":41,"content_type":"application/json"}\n'
        b'{"message":"hello world","level":"error"}\n'
        b'{"type":"event"}\n{"message":"second"}'
    )
    taken = take(body)
    assert [row["message"] for row in rows(taken, "sentry.events")] == ["hello world", "second"]
    [attachment] = rows(taken, "sentry.attachments")
    assert base64.b64decode(attachment["encoded"]) == b"\xef\xbb\xbfHe\nllo\n"
    assert (attachment["name"], attachment["event_id"]) == ("a.txt", EVENT_ID)
    assert taken.answer is not None
    assert orjson.loads(taken.answer.body) == {"id": EVENT_ID}


def test_it_takes_an_empty_item_and_empty_lines() -> None:
    taken = take(b'{}\n\n{"type":"attachment","length":0}\n\n\n')
    assert taken.refused == {"no_id": 1}


def test_the_id_of_the_envelope_goes_before_that_of_the_event() -> None:
    [row] = rows(take(envelope(("event", _event(event_id="f" * 32)), event_id=EVENT_ID)), "sentry.events")
    assert row["event_id"] == EVENT_ID
    assert payload(row)["event_id"] == EVENT_ID


def test_events_after_the_first_keep_their_own_ids() -> None:
    ids = [f"{number:032x}" for number in range(1, 4)]
    taken = take(envelope(*(("event", _event(event_id=one)) for one in ids), event_id=ids[0]))
    assert [row["event_id"] for row in rows(taken, "sentry.events")] == ids


def test_an_event_without_an_id_gets_one() -> None:
    taken = take(envelope(("event", {"message": "x"}), ("event", {"message": "x"})))
    found = [row["event_id"] for row in rows(taken, "sentry.events")]
    assert len(set(found)) == 2
    assert all(len(one) == 32 for one in found)


def test_it_counts_items_that_it_does_not_keep() -> None:
    taken = take(envelope(("profile", {}), ("never_heard_of", {}), ("event", _event())))
    assert taken.refused == {"item_profile": 1, "item_unknown": 1}
    assert len(rows(taken, "sentry.events")) == 1


def test_it_keeps_the_good_items_beside_a_bad_one() -> None:
    taken = take(envelope(("event", b"{nonsense"), ("event", _event())))
    assert taken.refused == {"malformed": 1}
    assert len(rows(taken, "sentry.events")) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "header"),
        (b"hello", "header"),
        (b"[1]\n", "header"),
        (b'{}\n{"type":5}\nx', "header"),
        (b'{}\n{"length":5}\nx', "truncated"),
        (b'{}\n{"type":"event","length":5}\n{}', "truncated"),
        (b'{}\n{"type":"event","length":-1}\n{}', "header"),
        (b'{}\n{"type":"event","length":1e3}\n{}', "header"),
        (b'{}\n{"type":"event","length":1}\n{}', "header"),
        (b'{}\n{"type":"event","length":99999999999999999999}\n{}', "header"),
        (b'{"a":"' + b"x" * 70_000, "header"),
        (envelope(("event", b"{nonsense")), "malformed"),
        (envelope(("event", ["no object"])), "malformed"),
    ],
)
def test_it_refuses_what_is_no_envelope(body: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        take(body)
    assert (caught.value.status, caught.value.reason) == (400, reason)


def test_it_refuses_an_event_over_a_megabyte_and_takes_one_just_under() -> None:
    small = _event(extra={"text": "x" * ((1 << 20) - 2000)})
    assert len(rows(take(envelope(("event", small))), "sentry.events")) == 1
    with pytest.raises(Refused, match="larger than 1 MB") as caught:
        take(envelope(("event", _event(extra={"text": "x" * (1 << 20)}))))
    assert caught.value.status == 413


def test_it_counts_an_attachment_that_is_too_large() -> None:
    taken = take(envelope(("event", _event()), ("attachment", b"x" * ((10 << 20) + 1))))
    assert taken.refused == {"attachment_too_large": 1}


def test_it_refuses_millions_of_empty_items() -> None:
    with pytest.raises(Refused) as caught:
        take(b"{}\n" + b'{"type":"x"}\n\n' * 100_001)
    assert caught.value.status == 413


def test_it_takes_lone_surrogates_nan_and_bytes_that_are_no_utf8() -> None:
    body = b'{}\n{"type":"event"}\n'
    body += b'{"message":"half \\ud83d","extra":{"n":NaN,"big":123456789012345678901234567890,"b":"\xff"}}'
    [row] = rows(take(body), "sentry.events")
    assert row["message"] == "half ?"
    assert payload(row)["extra"] == {"n": None, "big": "123456789012345678901234567890", "b": "\ufffd"}


def test_it_says_what_happened_in_one_line() -> None:
    chain = [{"type": "KeyError", "value": "'x'"}, {"type": "LookupError", "value": "no such order"}]
    [row] = rows(take(envelope(("event", _event(exception={"values": chain})))), "sentry.events")
    assert (row["message"], row["type"], row["value"]) == ("LookupError: no such order", "LookupError", "no such order")
    assert row["kind"] == "error"
    entry = {"message": "paid %s", "formatted": "paid 7", "params": [7]}
    [row] = rows(take(envelope(("event", {"logentry": entry}))), "sentry.events")
    assert (row["message"], row["kind"]) == ("paid 7", "message")


def test_a_format_with_a_huge_width_is_not_followed() -> None:
    [row] = rows(take(envelope(("event", {"logentry": {"message": "%999999999d", "params": [1]}}))), "sentry.events")
    assert row["message"] == "%999999999d"


def test_it_finds_service_host_user_and_place() -> None:
    frames = [
        {"module": "app.views", "function": "show", "in_app": True},
        {"module": "django.db", "function": "execute", "in_app": False},
    ]
    event = _event(
        server_name="web-1",
        tags=[["service", "shop"], {"key": "zone", "value": "b"}],
        user={"email": "a@b.c"},
        exception=[{"type": "E", "value": "v", "stacktrace": {"frames": frames}, "mechanism": {"handled": False}}],
        contexts={"trace": {"trace_id": TRACE_ID, "span_id": SPAN_ID}},
        sdk={"name": "sentry.python", "version": "2.75.0"},
    )
    [row] = rows(take(envelope(("event", event))), "sentry.events")
    assert (row["host"], row["named"], row["user"]) == ("web-1", "shop", "a@b.c")
    assert (row["culprit"], row["handled"]) == ("app.views in show", False)
    assert row["tags"] == {"service": "shop", "zone": "b"}
    assert (row["trace_id"], row["span_id"], row["sdk"]) == (TRACE_ID, SPAN_ID, "sentry.python/2.75.0")


def test_it_makes_spans_of_a_transaction() -> None:
    child = {
        "trace_id": TRACE_ID,
        "span_id": "a" * 16,
        "parent_span_id": SPAN_ID,
        "op": "db",
        "description": "SELECT * FROM orders WHERE id = 5",
        "start_timestamp": NOW_S - 0.5,
        "timestamp": NOW_S - 0.25,
        "status": "internal_error",
    }
    transaction = {
        "transaction": "GET /orders",
        "start_timestamp": NOW_S - 1,
        "timestamp": NOW_S,
        "server_name": "web-1",
        "contexts": {"trace": {"trace_id": TRACE_ID, "span_id": SPAN_ID, "op": "http.server", "status": "ok"}},
        "spans": [child, {**child, "span_id": "zz"}],
        "measurements": {"lcp": {"value": 2.5}},
        "release": "shop@1.0",
    }
    taken = take(envelope(("transaction", transaction), event_id=EVENT_ID))
    root, select = rows(taken, "sentry.spans")
    assert (root["name"], root["kind"], root["duration_ns"]) == ("GET /orders", "server", 10**9)
    assert root["attributes"]["measurement.lcp"] == "2.5"
    assert (select["name"], select["kind"], select["parent"]) == ("db SELECT", "client", SPAN_ID)
    assert (select["is_error"], select["status_message"]) == (True, "internal_error")
    assert select["attributes"]["db.query.text"] == child["description"]
    assert taken.refused == {"no_id": 1}
    assert root["resource"]["service.version"] == "shop@1.0"


def test_it_takes_streamed_spans_with_links() -> None:
    span = {
        "trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "GET /", "status": "error", "is_segment": True,
        "start_timestamp": NOW_S, "end_timestamp": NOW_S + 2,
        "attributes": {"sentry.op": {"value": "http.server", "type": "string"}, "n": {"value": [1, 2]}},
        "links": [{"trace_id": "a" * 32, "span_id": "b" * 16}, {"trace_id": "short"}],
    }  # fmt: skip
    [row] = rows(take(envelope(("span", {"version": 2, "items": [span]}))), "sentry.spans")
    assert (row["kind"], row["is_error"], row["duration_ns"]) == ("server", True, 2 * 10**9)
    assert row["linked"] == [["a" * 32, "b" * 16]]
    assert row["attributes"]["n"] == "[1,2]"


def test_it_adds_up_counters_and_keeps_each_measurement() -> None:
    def sample(kind: str, value: float, **more: Any) -> dict[str, Any]:
        return {"name": "orders.paid", "type": kind, "value": value, "timestamp": NOW_S, "attributes": {}, **more}

    found = [
        sample("counter", 2),
        sample("counter", 3),
        *(sample("distribution", v, unit="millisecond") for v in (1, 2)),
    ]
    taken = take(envelope(("trace_metric", {"items": [*found, sample("gauge", float("inf")), {"name": "x"}]})))
    by_name = {row["metric_name"]: row for row in rows(taken, "sentry.metrics")}
    assert by_name["orders_paid_delta"]["numbers"] == [5.0]
    assert by_name["orders_paid_milliseconds"]["numbers"] == [1.0, 2.0]
    assert len(set(by_name["orders_paid_milliseconds"]["at"])) == 2
    assert taken.refused == {"no_value": 2}


def test_it_keeps_the_states_of_sessions() -> None:
    session = {
        "sid": "8333339f-5675-4f89-a9a0-1c935255ab58",
        "did": "ada@example.org",
        "init": True,
        "started": "2026-11-26T11:59:00Z",
        "status": "crashed",
        "errors": 1,
        "seq": 7,
        "attrs": {"release": "shop@1.0", "environment": "prod"},
    }
    counted = {
        "aggregates": [{"started": "2026-11-26T11:58:00Z", "exited": 40, "errored": 2}],
        "attrs": session["attrs"],
    }
    taken = take(envelope(("session", session), ("sessions", counted), ("session", {**session, "attrs": {}})))
    one, errored, exited = rows(taken, "sentry.sessions")
    assert (one["session_id"], one["status"], one["seq"]) == ("8333339f56754f89a9a01c935255ab58", "crashed", 7)
    assert (errored["status"], errored["count"], exited["count"]) == ("errored", 2, 40)
    assert b"ada@" not in b"".join(frame.content for frame in taken.frames)
    assert taken.refused == {"no_release": 1}


def test_it_takes_both_forms_of_feedback() -> None:
    said = {"message": "it broke", "contact_email": "a@b.c", "name": "Ada", "associated_event_id": EVENT_ID}
    new = {"event_id": "a" * 32, "contexts": {"feedback": said}}
    old = {"event_id": EVENT_ID, "comments": "still broken", "email": "a@b.c", "name": "Ada"}
    first, second = rows(take(envelope(("feedback", new), ("user_report", old))), "sentry.feedback")
    assert (first["feedback_id"], first["event_id"], first["message"]) == ("a" * 32, EVENT_ID, "it broke")
    assert (second["event_id"], second["message"]) == (EVENT_ID, "still broken")


def test_store_takes_plain_and_wrapped_events() -> None:
    body = json.dumps(_event()).encode()
    wrapped = base64.b64encode(zlib.compress(body))
    for sent in (body, wrapped):
        [row] = rows(take(sent, "store"), "sentry.events")
        assert (row["event_id"], row["message"]) == (EVENT_ID, "no such order")
    with pytest.raises(Refused) as caught:
        take(base64.b64encode(zlib.compress(b"[" * (2 << 20))), "store")
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "report",
    [
        {"csp-report": {"document-uri": "https://a.b/", "effective-directive": "script-src", "blocked-uri": "https://x.y/z.js"}},
        [{"type": "csp-violation", "url": "https://a.b/", "body": {"effectiveDirective": "script-src", "blockedURL": "https://x.y/z.js"}}],
    ],
)  # fmt: skip
def test_it_makes_events_of_browsers_reports(report: Any) -> None:
    taken = take(orjson.dumps(report), "security", query={"sentry_release": "page@1"})
    [row] = rows(taken, "sentry.events")
    assert (row["kind"], row["message"], row["release"]) == ("csp", "Blocked 'script-src' from 'x.y'", "page@1")
    assert taken.answer is not None
    assert taken.answer.status == 201


def test_it_refuses_minidumps_politely() -> None:
    with pytest.raises(Refused, match="minidumps are not read here") as caught:
        take(b"MDMP", "minidump")
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({"x-sentry-auth": f"Sentry sentry_version=7, sentry_key={'a' * 32}, sentry_client=x/1"}, {}, b""),
        ({"authorization": f"Sentry sentry_key={'a' * 32}"}, {}, b""),
        ({}, {"sentry_key": "a" * 32, "sentry_version": "7"}, b""),
        ({}, {}, b'{"dsn":"https://' + b"a" * 32 + b'@quarterdeck.example/42"}\n'),
    ],
)
def test_it_finds_the_key(headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
    assert PLUGIN.credential(request(body, headers=headers, query=query)) == "a" * 32


@pytest.mark.parametrize("project", ["x", "-1", "٣", "1" * 19, "1.0"])
def test_a_project_is_a_number(project: str) -> None:
    with pytest.raises(Refused, match="no number"):
        take(envelope(("event", _event())), project=project)


def test_a_key_is_for_its_own_project() -> None:
    assert take(envelope(("event", _event())), project="7", key=7).frames
    with pytest.raises(Refused) as caught:
        take(envelope(("event", _event())), project="42", key=7)
    assert caught.value.status == 403


def test_a_sender_over_its_rate_is_told_by_category() -> None:
    problem = Problem(429, "too fast", "rate", 30, ("sentry.logs", "sentry.events"))
    answer = PLUGIN.problem(problem)
    assert answer.headers["x-sentry-rate-limits"] == "30:log_item;log_byte;default;error;security:key:rate"
    assert orjson.loads(answer.body) == {"detail": "too fast", "causes": ["rate"]}
    # SDKs hold back at a 429 only.
    assert PLUGIN.problem(Problem(503, "full", "spool_full", 5)).status == 429


def test_a_bad_key_is_forbidden_in_sentrys_form() -> None:
    answer = PLUGIN.problem(Problem(401, "the intake key is unknown", "bad_key"))
    assert (answer.status, answer.headers["x-sentry-error"]) == (403, "the intake key is unknown")
    assert answer.headers["access-control-allow-origin"] == "*"
