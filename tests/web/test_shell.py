"""What holds for every page: who may open it, the policy, the selector, the range, language."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from quarterdeck.inventory.models import Item

PAGES = ["overview", "items", "topology", "trash", "drift", "merge_proposals", "item_new"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", PAGES)
def test_it_sends_the_anonymous_to_sign_in_and_back(client: Client, name: str) -> None:
    address = reverse(f"web:{name}")
    response = client.get(address)
    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PAGES)
def test_it_refuses_somebody_without_a_role_with_a_page_that_says_so(as_stranger: Client, name: str) -> None:
    response = as_stranger.get(reverse(f"web:{name}"))
    assert response.status_code == 403
    assert "Ask an administrator" in response.content.decode()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_it_shows_every_page_in_both_languages(as_owner: Client, web1: Item, name: str, language: str) -> None:
    as_owner.cookies["django_language"] = language
    response = as_owner.get(reverse(f"web:{name}"))
    assert response.status_code == 200
    assert f'lang="{"zh-Hans" if language == "zh-hans" else "en"}"' in response.content.decode()


def test_htmx_gets_an_error_as_a_toast_and_keeps_its_page(as_stranger: Client) -> None:
    response = as_stranger.get(reverse("web:attention"), headers={"HX-Request": "true"})
    assert response.status_code == 403
    assert response.headers["HX-Reswap"] == "none"
    assert '"level": "bad"' in response.headers["HX-Trigger"]


def test_htmx_of_a_session_that_ended_goes_to_sign_in_as_a_whole_page(client: Client) -> None:
    response = client.get(
        reverse("web:attention"), headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/items"}
    )
    assert response.headers["HX-Redirect"].startswith(reverse("account_login"))


def test_the_policy_allows_no_inline_script_and_its_nonce_is_new_each_time(as_owner: Client) -> None:
    first, second = (as_owner.get(reverse("web:overview")) for _ in range(2))
    policy = first.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([\w-]+)'", policy)
    assert nonce
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert f'<script nonce="{nonce[1]}">' in first.content.decode()
    assert nonce[1] not in second.headers["Content-Security-Policy"]


def test_no_page_is_kept_by_a_shared_cache_and_built_files_are(as_owner: Client, client: Client) -> None:
    for page in (as_owner.get(reverse("web:overview")), client.get(reverse("account_login"))):
        assert {"private", "no-store"} & {part.strip() for part in page.headers["Cache-Control"].split(",")}
    picture = client.get("/static/favicon.svg")
    picture.close()
    assert "private" not in picture.headers["Cache-Control"]


def test_the_theme_of_the_cookie_is_in_the_first_byte_so_that_nothing_flashes(as_owner: Client) -> None:
    as_owner.cookies["qd_theme"] = "dark"
    assert 'data-bs-theme="dark"' in as_owner.get(reverse("web:overview")).content.decode()
    as_owner.cookies["qd_theme"] = '"><script>'
    assert 'data-theme-choice="auto"' in as_owner.get(reverse("web:overview")).content.decode()


def test_the_selector_limits_every_page_until_it_is_cleared(as_owner: Client, web1: Item, lab1: Item) -> None:
    as_owner.post(reverse("web:set_selector"), {"selector": "env:prod", "next": "/items"})
    page = as_owner.get(reverse("web:items")).content.decode()
    assert "web1" in page
    assert "lab1" not in page
    as_owner.post(reverse("web:set_selector"), {"clear": "1"})
    assert "lab1" in as_owner.get(reverse("web:items")).content.decode()


def test_it_refuses_a_selector_that_does_not_compile_and_keeps_the_old_one(as_owner: Client) -> None:
    as_owner.post(reverse("web:set_selector"), {"selector": "env:prod"})
    response = as_owner.post(reverse("web:set_selector"), {"selector": "tipe:host"})
    assert response.status_code == 400
    assert as_owner.session["selector"] == "env:prod"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"])
def test_it_returns_only_to_this_site(as_owner: Client, target: str) -> None:
    response = as_owner.post(reverse("web:set_range"), {"range": "6h", "next": target})
    assert response.headers["Location"] == "/"


def test_it_remembers_the_time_range_and_ignores_an_unknown_one(as_owner: Client) -> None:
    as_owner.post(reverse("web:set_range"), {"range": "6h"})
    as_owner.post(reverse("web:set_range"), {"range": "1000y"})
    assert "Last 6 hours" in as_owner.get(reverse("web:overview")).content.decode()


def test_posts_without_a_token_are_refused(owner_user: object) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner_user, backend="allauth.account.auth_backends.AuthenticationBackend")  # type: ignore[arg-type]
    assert client.post(reverse("web:set_range"), {"range": "6h"}).status_code == 403


def test_the_sidebar_shows_only_what_one_may_open(as_teammate: Client) -> None:
    page = as_teammate.get(reverse("web:overview")).content.decode()
    assert f'href="{reverse("web:items")}"' in page
    assert f'href="{reverse("web:audit")}"' not in page
