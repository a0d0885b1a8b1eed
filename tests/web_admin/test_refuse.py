"""Generated over every address of the pages: whoever lacks the right is refused, signed in or not, by any method."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver

from quarterdeck.access.checks import may
from quarterdeck.access.links import VALID_FOR
from quarterdeck.access.models import OneTimeLink, User
from quarterdeck.access.tokens import digest
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.web.urls import urlpatterns


def flat(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from flat(pattern.url_patterns)


ROUTES = list(flat(urlpatterns))
# Whoever holds the one-time link may: the link is the permission.
BY_LINK = {"set_up", "choose_password"}
FOR_EVERYBODY = {"set_language"}
SAMPLES = {"int": "1", "slug": "host", "str": "something", "path": "some/thing", "uuid": "0" * 32}


def address(route: URLPattern) -> str:
    """Return an address that the route matches."""
    text = str(route.pattern)
    text = re.sub(r"\(\?P<\w+>(\w+)[^)]*\)", r"\1", text)
    text = re.sub(r"<(?:(\w+):)?\w+>", lambda match: SAMPLES[match.group(1) or "str"], text)
    return "/" + text.replace("^", "").replace("$", "").replace("\\", "")


def verb_of(route: URLPattern) -> str | None:
    return getattr(route.callback, "verb", None)


def answers(client: Client, route: URLPattern) -> list[HttpResponse]:
    """Return what GET and POST give, without the methods that the address does not take."""
    found = [client.get(address(route)), client.post(address(route))]
    return [answer for answer in found if answer.status_code != 405]


PAGES = [route for route in ROUTES if route.name not in BY_LINK | FOR_EVERYBODY]
GUARDED = [route for route in PAGES if verb_of(route)]


def statuses(client: Client, routes: list[URLPattern]) -> dict[str | None, set[int]]:
    """Return which statuses each address gives, by its name. One person for all: making people is what takes time."""
    return {route.name: {answer.status_code for answer in answers(client, route)} for route in routes}


def test_every_address_says_which_right_it_needs() -> None:
    assert [route.name for route in PAGES if verb_of(route) is None] == []


def test_there_are_addresses_to_try() -> None:
    assert len(GUARDED) > 50


def test_it_sends_whoever_is_not_signed_in_to_the_sign_in_page(client: Client, db: None) -> None:
    for route in PAGES:
        found = answers(client, route)
        assert found, route.name
        for answer in found:
            assert answer.status_code == 302, route.name
            assert answer.headers["Location"].startswith("/accounts/login/"), route.name


def test_it_refuses_a_stranger(as_stranger: Client) -> None:
    found = statuses(as_stranger, GUARDED)
    assert {name: codes for name, codes in found.items() if codes != {403}} == {}


def test_it_refuses_a_teammate_what_their_role_does_not_grant(as_teammate: Client, teammate: Actor) -> None:
    refused = [route for route in GUARDED if not may(teammate, str(verb_of(route)))]
    assert len(refused) > 10
    found = statuses(as_teammate, refused)
    assert {name: codes for name, codes in found.items() if codes != {403}} == {}


def test_it_refuses_a_form_without_its_csrf_token(owner_user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner_user, backend="allauth.account.auth_backends.AuthenticationBackend")
    found = {route.name: strict.post(address(route)).status_code for route in PAGES}
    assert {name: code for name, code in found.items() if code not in (403, 405)} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["set-up", "welcome"])
def test_it_refuses_a_link_that_was_never_made(client: Client, name: str) -> None:
    assert client.get(f"/{name}/guessed").status_code == 404
    assert client.post(f"/{name}/guessed", {"password": "x"}).status_code == 404


def test_the_set_up_link_shows_no_form_once_somebody_can_sign_in(client: Client, owner_user: User) -> None:
    OneTimeLink.objects.create(
        purpose=OneTimeLink.Purpose.SETUP, digest=digest("old"), created_at=now(), expires_at=now() + VALID_FOR
    )
    response = client.get("/set-up/old")
    assert response.status_code == 409
    assert "<form" not in response.content.decode().partition("<main")[2].partition("qd-plain-foot")[0]
