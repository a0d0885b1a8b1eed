"""Who may open a WebSocket, from which page, and how many."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.test import Client
from tests.lab.parts import wait_until
from tests.lab.serving import served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from quarterdeck.access.actions import create_token
from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.access.models import Token, User
from quarterdeck.api import sockets
from quarterdeck.api.sockets import Socket, Sockets, route
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Denied

pytestmark = pytest.mark.django_db(transaction=True)


async def _named(socket: Socket, word: str) -> None:
    """Says who one is, then says in capitals what it hears; "bye" ends it."""
    actor = await socket.identify(WITH_BASIC)
    await socket.accept()
    await socket.send(f"{word} {actor.name}")

    async def heard(message: str | bytes) -> None:
        if message == "bye":
            raise Denied("it is enough")
        await socket.send(str(message).upper())

    await socket.while_open(heard=heard)


async def _hidden(socket: Socket) -> None:
    await socket.accept()


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no HTTP is asked for")


@pytest.fixture
def port(owner_user: User) -> Iterator[int]:
    with served(Sockets(_nothing, [route("named/<str:word>", _named), route("hidden", _hidden)])) as found:
        yield found


def opened(port: int, headers: dict[str, str], path: str = "/named/hello") -> Any:
    return connect(f"ws://127.0.0.1:{port}{path}", additional_headers=headers, open_timeout=20, proxy=None)


@pytest.fixture
def bearer(owner_user: User) -> dict[str, str]:
    _token, plain = create_token(SYSTEM, "mine", ["admin"])
    return {"Authorization": f"Bearer {plain}"}


@pytest.fixture
def cookie(owner_user: User, settings: Any) -> dict[str, str]:
    client, name = Client(), settings.SESSION_COOKIE_NAME
    client.force_login(owner_user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return {"Cookie": f"{name}={client.cookies[name].value}"}


def refusal(port: int, headers: dict[str, str], path: str = "/named/hello") -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as refused, opened(port, headers, path):
        raise AssertionError("it was opened")
    response = refused.value.response
    is_problem = response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, orjson.loads(response.body) if is_problem else {}


def test_a_token_opens_it_from_anywhere(port: int, bearer: dict[str, str]) -> None:
    with opened(port, bearer | {"Origin": "https://elsewhere.example"}) as one:
        assert one.recv(20) == "hello token:mine"
        one.send("a")
        assert one.recv(20) == "A"


def test_a_session_opens_it_from_our_pages_only(port: int, cookie: dict[str, str], settings: Any) -> None:
    with opened(port, cookie | {"Origin": f"http://127.0.0.1:{port}"}) as one:
        assert one.recv(20) == "hello owner"
    settings.CSRF_TRUSTED_ORIGINS = ["https://deck.example"]
    with opened(port, cookie | {"Origin": "https://deck.example"}) as one:
        assert one.recv(20) == "hello owner"
    for origin in (f"https://127.0.0.1:{port}", "http://127.0.0.1:1", "null", "https://deck.example.evil.example"):
        assert refusal(port, cookie | {"Origin": origin})[0] == 403
    assert refusal(port, cookie)[0] == 403


def test_a_password_that_a_browser_knows_counts_on_our_pages_only(port: int, bearer: dict[str, str]) -> None:
    encoded = base64.b64encode(f"any:{bearer['Authorization'].split()[1]}".encode()).decode()
    basic = {"Authorization": f"Basic {encoded}"}
    with opened(port, basic) as one:
        assert one.recv(20) == "hello token:mine"
    assert refusal(port, basic | {"Origin": "https://elsewhere.example"})[0] == 403


def test_nobody_a_wrong_token_and_a_wrong_address_are_problems(port: int, bearer: dict[str, str]) -> None:
    assert refusal(port, {})[1]["code"] == "unauthenticated"
    assert refusal(port, {"Authorization": "Bearer qd_wrong"})[0] == 401
    assert refusal(port, bearer, "/nowhere")[1]["code"] == "not_found"
    assert refusal(port, bearer, "/hidden")[0] == 500


def test_a_caller_holds_a_bounded_number(port: int, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "OPEN_MAX", 1)
    with opened(port, bearer) as one:
        assert one.recv(20)
        assert refusal(port, bearer)[1]["code"] == "too_many"
    wait_until(lambda: not sockets._open, "the place")
    with opened(port, bearer) as one:
        assert one.recv(20)


def test_an_error_on_the_way_is_a_close_with_its_sentence(port: int, bearer: dict[str, str]) -> None:
    with opened(port, bearer) as one:
        one.recv(20)
        one.send("bye")
        assert closed(one) == (1008, "it is enough")


def test_a_token_that_is_revoked_ends_it(port: int, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "LOOK_AGAIN_SECONDS", 0.05)
    with opened(port, bearer) as one:
        one.recv(20)
        one.send("still")
        assert one.recv(20) == "STILL"
        Token.objects.update(revoked_at=now())
        code, reason = closed(one)
    assert (code, "revoked" in reason) == (1008, True)


def test_a_session_that_ends_ends_it(
    port: int, owner_user: User, cookie: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOOK_AGAIN_SECONDS", 0.05)
    with opened(port, cookie | {"Origin": f"http://127.0.0.1:{port}"}) as one:
        one.recv(20)
        owner_user.set_password("another-0-another")
        owner_user.save()
        assert closed(one) == (1008, "the session has ended")


def closed(one: Any) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as found:
        one.recv(20)
    assert found.value.rcvd is not None
    return found.value.rcvd.code, found.value.rcvd.reason
