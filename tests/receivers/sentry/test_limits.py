"""Counted once, held back, refused: what clients are told, and what they make of it."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from urllib.parse import urlsplit
from uuid import uuid4

import brotli
import orjson
import pytest
from backports import zstd
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until
from tests.receivers.sentry.clients import dsn, new_key, revoke_key, run_python
from tests.receivers.sentry.requests import envelope

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def _event(service: str, **more: object) -> dict[str, object]:
    event_id = uuid4().hex
    return {"event_id": event_id, "timestamp": time.time(), "message": "m", "tags": {"service": service}, **more}


def _ask(
    intake: IntakeLab, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(intake.url).netloc, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_an_event_that_is_sent_again_counts_once(intake: IntakeLab) -> None:
    service = intake.unique("again")
    event = _event(service)
    for sent_at in ("2026-11-26T12:00:00Z", "2026-11-26T12:00:09Z"):
        body = envelope(("event", event), event_id=event["event_id"], sent_at=sent_at)
        assert intake.post("/api/42/envelope/", body)[0] == 200
    # The same event with other bytes, by the other endpoint.
    assert intake.post("/api/42/store/", orjson.dumps({**event, "extra": {"retry": 1}}))[0] == 200
    last = _event(service)
    assert intake.post("/api/42/store/", orjson.dumps(last))[0] == 200
    intake.arrived("SELECT event_id FROM error_events WHERE event_id = {e:String}", e=str(last["event_id"]))
    assert intake.sql("SELECT count() AS n FROM error_events WHERE service = {s:String}", s=service) == [{"n": 2}]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_it_takes_every_compression(intake: IntakeLab, encoding: str) -> None:
    import zlib

    compress = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress, "deflate": zlib.compress}[encoding]
    event = _event(intake.unique("packed"))
    body = compress(envelope(("event", event)))
    status, headers, answer = _ask(intake, "POST", "/api/42/envelope/", body, Content_Encoding=encoding)
    assert (status, orjson.loads(answer)) == (200, {"id": event["event_id"]})
    assert headers["access-control-allow-origin"] == "*"
    intake.arrived("SELECT * FROM error_events WHERE event_id = {e:String}", e=str(event["event_id"]))


def test_browsers_may_ask_first(intake: IntakeLab) -> None:
    status, headers, _ = _ask(
        intake,
        "OPTIONS",
        "/api/42/envelope/?sentry_key=unknown",
        Origin="https://a.b",
        Access_Control_Request_Method="POST",
    )
    assert (status, headers["access-control-allow-origin"]) == (204, "*")
    assert "x-sentry-auth" in headers["access-control-allow-headers"]


def test_refusals_have_sentrys_form(intake: IntakeLab) -> None:
    body = envelope(("event", _event("x")))
    key, project = new_key(intake)
    other = f"/api/{project + 1}/envelope/?sentry_key={key}"
    for path, sent, wanted in (
        (other, body, 403),
        ("/api/42/envelope/", b"nonsense", 400),
        ("/api/42/envelope/", envelope(("event", _event("x", extra="x" * (1 << 20)))), 413),
        ("/api/42/envelope/", b"x" * ((20 << 20) + 1), 413),
        ("/api/42/minidump/", b"MDMP", 501),
    ):
        status, headers, answer = _ask(intake, "POST", path, sent)
        assert status == wanted
        found = json.loads(answer)
        assert found["detail"] == headers["x-sentry-error"]
        assert found["causes"]


def test_a_revoked_key_is_refused_on_loopback_too(intake: IntakeLab) -> None:
    key, project = new_key(intake)
    path, body = f"/api/{project}/envelope/?sentry_key={key}", envelope(("event", _event("x")))
    assert _ask(intake, "POST", path, body)[0] == 200
    revoke_key(intake, project)
    wait_until(lambda: _ask(intake, "POST", path, body)[0] != 200, "the revocation", 20)
    status, _, answer = _ask(intake, "POST", path, body)
    assert (status, json.loads(answer)["causes"]) == (403, ["bad_key"])


def test_a_bomb_is_not_unfolded(intake: IntakeLab) -> None:
    bomb = gzip.compress(b'{}\n{"type":"attachment","length":104857700}\n' + bytes(100 << 20))
    assert len(bomb) < 1 << 20
    status, _, answer = _ask(intake, "POST", "/api/42/envelope/", bomb, Content_Encoding="gzip")
    assert (status, b"larger than 100 MB" in answer) == (413, True)


def test_the_key_may_be_in_the_envelope_alone(intake: IntakeLab) -> None:
    key, project = new_key(intake, service=intake.unique("labelled"))
    event = {**_event(""), "tags": {}}
    body = envelope(("event", event), dsn=dsn(intake, key, project))
    assert intake.post(f"/api/{project}/envelope/", body)[0] == 200
    [row] = intake.arrived("SELECT * FROM error_events WHERE event_id = {e:String}", e=str(event["event_id"]))
    assert (row["key"], row["project"]) == (project, project)
    # A label of the key names the service where the event does not.
    assert row["service"].startswith("labelled-")


def test_the_sdk_holds_back_when_its_key_is_over_its_rate(intake: IntakeLab) -> None:
    key, project = new_key(intake, records_per_second=1)
    name = intake.unique("flood")
    said = run_python("flood", name, dsn(intake, key, project))
    # Ten seconds' worth may come at once; after a refusal the SDK sends no more for as long as it was told.
    assert said["held_back"] > 20
    [asked] = [row for row in intake.status()["rows"] if (row["protocol"], row["key"]) == ("sentry", project)]
    assert 1 <= asked["refused_by_reason"]["rate"] <= 60 - said["held_back"]
    assert 0 < said["disabled"]["error"] < 15
    assert None not in said["disabled"]
    rows = intake.arrived("SELECT event_id FROM error_events WHERE service = {s:String}", 10, s=name)
    assert 10 <= len(rows) <= 61 - said["held_back"]
    intake.arrived("SELECT * FROM error_events WHERE event_id = {e:String}", e=said["late"])
    reports = intake.arrived("SELECT * FROM client_reports WHERE project = {p:UInt64}", p=project)
    assert ("ratelimit_backoff", "error") in {(row["reason"], row["category"]) for row in reports}


def test_big_events_of_the_sdk_are_kept_whole_or_refused(intake: IntakeLab) -> None:
    name = intake.unique("big")
    said = run_python("big", name, dsn(intake))
    [row] = intake.arrived("SELECT * FROM error_events WHERE service = {s:String}", s=name)
    assert row["event_id"] == said["small"]
    assert sum(len(page) for page in json.loads(row["payload"])["extra"].values()) == 9 * 99_000


def test_ten_thousand_items_in_one_envelope(intake: IntakeLab) -> None:
    service = intake.unique("many")
    body = envelope(*(("event", _event(service, message=f"event {number}")) for number in range(10_000)))
    started = time.monotonic()
    status, _, _ = _ask(intake, "POST", "/api/42/envelope/", gzip.compress(body, 1), Content_Encoding="gzip")
    assert status == 200
    assert time.monotonic() - started < 30
    intake.arrived("SELECT 1 FROM error_events WHERE service = {s:String}", 10_000, s=service)
    hashes = intake.sql(
        "SELECT uniq(grouping_hash) AS n, uniqExact(event_id) AS m FROM error_events WHERE service = {s:String}",
        s=service,
    )
    assert hashes == [{"n": 1, "m": 10_000}]


def test_redaction_keeps_the_payload_json(intake: IntakeLab) -> None:
    service = intake.unique("secret")
    extra = {
        "card": 4111111111111111,
        "pwd": 12345,
        "inner": '{"password": "hunter22"}',
        "headers": [["Authorization", "Basic abcdefghijklmnop"], ["Accept", "*/*"]],
        "pem": "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
        "fine": 'quote " and \\ slash / 支付',
    }
    event = _event(service, extra=extra, tags={"service": service, "api_key": "abcdefgh"})
    before = {row["rule"]: int(row["n"]) for row in _redactions(intake)}
    assert intake.post("/api/42/envelope/", envelope(("event", event)))[0] == 200
    [row] = intake.arrived("SELECT * FROM error_events WHERE service = {s:String}", s=service)
    kept = json.loads(row["payload"])["extra"]
    assert (kept["card"], kept["pwd"], kept["fine"]) == ("[card]", "***", extra["fine"])
    assert (kept["headers"][0][1], kept["headers"][1][1]) == ("Basic ***", "*/*")
    assert kept["inner"] == '{"password": "***"}'
    assert kept["pem"].startswith("[private key]")
    assert row["tags"] == {"service": service, "api_key": "***"}
    for secret in ("4111111111111111", "12345", "hunter22", "MIIabc", "abcdefgh"):
        assert secret not in row["payload"]

    def counted() -> set[str]:
        return {str(row["rule"]) for row in _redactions(intake) if int(row["n"]) > before.get(row["rule"], 0)}

    # Counted by a statement of its own, after the rows are there.
    wait_until(lambda: counted() >= {"card", "password", "bearer", "private-key"}, "the hits of the rules")


def _redactions(intake: IntakeLab) -> list[dict[str, str]]:
    return intake.sql("SELECT rule, sum(count) AS n FROM redactions WHERE protocol = 'sentry' GROUP BY rule")
