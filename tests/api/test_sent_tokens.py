"""How a token may be sent: to our own API as a bearer, to what other products' clients ask in their ways as well."""

from __future__ import annotations

import base64

import pytest
from django.test import Client, RequestFactory
from tests.api.conftest import ApiClient

from quarterdeck.access.actors import BEARER, WITH_API_KEY, WITH_BASIC
from quarterdeck.api import auth
from quarterdeck.core.errors import Unauthenticated


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def named(header: str, schemes: tuple[str, ...]) -> str:
    """The name of the actor that a header makes, "" where it makes none."""
    request = RequestFactory().get("/", headers={"Authorization": header})
    request.user = Client().request().wsgi_request.user
    try:
        return auth.identify(request, schemes).name
    except Unauthenticated:
        return ""


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ("Bearer {token}", BEARER),
        ("bearer  {token} ", BEARER),
        ("Basic {basic}", WITH_BASIC),
        ("BASIC {basic}", WITH_API_KEY),
        ("ApiKey {token}", WITH_API_KEY),
        ("ApiKey {basic}", WITH_API_KEY),
    ],
)
def test_a_token_is_taken_as_it_may_be_sent(viewer: ApiClient, header: str, schemes: tuple[str, ...]) -> None:
    sent = header.format(token=viewer.token, basic=encoded(f"anybody:{viewer.token}"))
    assert named(sent, schemes) == named(f"Bearer {viewer.token}", BEARER) != ""


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ("Basic {basic}", BEARER),
        ("ApiKey {token}", WITH_BASIC),
        ("Digest {token}", WITH_API_KEY),
        ("Basic {token}", WITH_BASIC),
        ("Basic Og==", WITH_BASIC),
        ("Basic", WITH_BASIC),
        ("ApiKey Og==", WITH_API_KEY),
        ("Bearer {basic}", WITH_API_KEY),
    ],
)
def test_nothing_else_is(viewer: ApiClient, header: str, schemes: tuple[str, ...]) -> None:
    sent = header.format(token=viewer.token, basic=encoded(f"anybody:{viewer.token}"))
    assert named(sent, schemes) == ""


def test_our_own_api_takes_no_basic(viewer: ApiClient) -> None:
    basic = f"Basic {encoded(f'anybody:{viewer.token}')}"
    assert viewer.call("GET", "/items").status_code == 200
    assert viewer.call("GET", "/items", Authorization=basic).status_code == 401
