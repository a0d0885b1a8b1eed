"""The client against a real HTTP server that answers what each case says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from quarterdeck.cli import client as client_module
from quarterdeck.cli.client import Client, NotConfigured, Remote
from quarterdeck.core.errors import BadQuery, Conflict, OpsError, TooMany, Unavailable


@dataclass
class Instance:
    """Answers in turn what `script` holds, `(status, headers, body)`, and remembers what was asked."""

    script: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def answer(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    told = Instance()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.asked.append((self.command, self.path, dict(self.headers)))
            status, headers, body = told.script.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do  # noqa: N815 - names that http.server looks for

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("QD_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("QD_TOKEN", "qd_secret")
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def problem(code: str, **members: Any) -> dict[str, Any]:
    return {"code": code, "detail": "what was found", "hint": "the next step", **members}


def raised(instance: Instance, status: int, body: Any) -> OpsError:
    instance.answer(status, body)
    with Client() as client, pytest.raises(OpsError) as caught:
        client.get("/items")
    return caught.value


def test_it_sends_the_token_and_leaves_out_empty_parameters(instance: Instance) -> None:
    instance.answer(200, {"items": []})
    with Client() as client:
        assert client.get("/items", {"q": "type:host", "after": "", "sort": None}) == {"items": []}
    method, path, headers = instance.asked[0]
    assert (method, urlsplit(path).path, parse_qs(urlsplit(path).query)) == (
        "GET",
        "/api/v1/items",
        {"q": ["type:host"]},
    )
    assert headers["Authorization"] == "Bearer qd_secret"


def test_it_follows_pages_and_stops_at_the_limit(instance: Instance) -> None:
    instance.answer(200, {"items": [{"id": 1}, {"id": 2}], "next": "c1"})
    instance.answer(200, {"items": [{"id": 3}], "next": "c2"})
    with Client() as client:
        assert [row["id"] for row in client.rows("/items", at_most=3)] == [1, 2, 3]
    queries = [parse_qs(urlsplit(path).query) for _method, path, _headers in instance.asked]
    assert queries == [{"limit": ["3"]}, {"limit": ["1"], "after": ["c1"]}]


def test_it_reads_pages_only_as_rows_are_taken(instance: Instance) -> None:
    instance.answer(200, {"items": [{"id": 1}], "next": "c1"})
    with Client() as client:
        assert next(client.rows("/items")) == {"id": 1}
    assert len(instance.asked) == 1


def test_it_turns_problems_into_the_errors_they_came_from(instance: Instance) -> None:
    error = raised(instance, 400, problem("bad_query", field="q", position=4))
    assert isinstance(error, BadQuery)
    assert (error.message, error.hint, error.position, error.exit_code) == ("what was found", "the next step", 4, 65)
    assert isinstance(raised(instance, 409, problem("conflict")), Conflict)


def test_it_finds_the_nearest_error_for_codes_it_does_not_know(instance: Instance) -> None:
    assert isinstance(raised(instance, 409, problem("new_kind")), Conflict)
    assert isinstance(raised(instance, 418, problem("new_kind")), Remote)
    assert isinstance(raised(instance, 500, problem("bug", request_id="r1")), Unavailable)


def test_it_shows_every_wrong_field(instance: Instance) -> None:
    errors = [{"in": "body", "pointer": f"/{name}", "message": "Field required"} for name in ("name", "type")]
    assert "body type: Field required" in raised(instance, 422, problem("bad_input", errors=errors)).message


def test_it_tells_when_something_else_answers(instance: Instance) -> None:
    error = raised(instance, 502, b"<html>bad gateway</html>")
    assert isinstance(error, Unavailable)
    assert "check QD_URL" in error.hint


def test_it_waits_when_its_rate_is_used_up(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    instance.answer(429, problem("too_many"), Retry_After="7")
    instance.answer(200, {"ok": True})
    with Client() as client:
        assert client.get("/status") == {"ok": True}
    assert waited == [7]


def test_it_gives_up_when_the_rate_stays_used_up(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
    for _attempt in range(6):
        instance.answer(429, problem("too_many"), Retry_After="7")
    with Client() as client, pytest.raises(TooMany) as caught:
        client.get("/status")
    assert caught.value.retry_after_seconds == 7


def test_it_sends_the_same_key_when_it_repeats_a_write(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
    instance.answer(429, problem("too_many"), Retry_After="1")
    instance.answer(201, {"id": 1})
    with Client() as client:
        client.send("POST", "/items", {"name": "web1"})
    first, second = (headers["Idempotency-Key"] for _method, _path, headers in instance.asked)
    assert first == second


def test_it_says_what_is_missing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [
        ("", "", "QD_URL is not set"),
        ("localhost:8000", "x", 'QD_URL is "localhost:8000"'),
        ("http://127.0.0.1:1", "", "QD_TOKEN is not set"),
        ("http://127.0.0.1:1", "a\nb", "QD_TOKEN holds characters"),
    ]
    for url, token, sentence in cases:
        monkeypatch.setenv("QD_URL", url)
        monkeypatch.setenv("QD_TOKEN", token)
        with pytest.raises(NotConfigured, match=sentence):
            Client()


def test_it_says_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("QD_TOKEN", "x")
    with Client() as client, pytest.raises(Unavailable, match="does not answer"):
        client.get("/items")
