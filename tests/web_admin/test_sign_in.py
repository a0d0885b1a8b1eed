"""Sign-in, the first set-up, one-time links, and where they lead."""

from __future__ import annotations

import pytest
from django.test import Client

from quarterdeck.access.actions import password_link, setup_link
from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM

GOOD = "correct horse battery"
EVIL = ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)", "http:///evil.example"]


def sign_in(client: Client, **values: str) -> object:
    return client.post("/accounts/login/", {"login": "owner", "password": "owner-owner-0", **values})


@pytest.mark.parametrize("target", EVIL)
def test_it_does_not_lead_to_another_site_after_sign_in(client: Client, owner_user: User, target: str) -> None:
    answer = sign_in(client, next=target)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


def test_it_leads_to_where_one_wanted_to_go(client: Client, owner_user: User) -> None:
    assert sign_in(client, next="/types").headers["Location"] == "/types"


@pytest.mark.parametrize("target", EVIL)
def test_it_does_not_lead_to_another_site_after_a_change(as_owner: Client, target: str) -> None:
    for address, values in (("/i18n/setlang/", {"language": "en"}), ("/accounts/logout/", {})):
        answer = as_owner.post(address, {**values, "next": target})
        assert "evil" not in answer.headers.get("Location", ""), address


def test_it_says_that_name_or_password_are_wrong_and_keeps_the_name(client: Client, owner_user: User) -> None:
    answer = sign_in(client, password="wrong")
    page = answer.content.decode()
    assert 'value="owner"' in page
    assert "qd-notice bad" in page or "qd-field-error" in page


def test_it_refuses_too_many_attempts_with_a_sentence(client: Client, owner_user: User) -> None:
    pages = [sign_in(client, password=f"wrong {number}").content.decode() for number in range(8)]
    assert "Too many" in pages[-1]
    assert "Too many" in sign_in(client).content.decode()


def test_it_offers_no_sign_up_and_no_reset_by_mail(client: Client, db: None) -> None:
    page = client.get("/accounts/login/").content.decode()
    assert "Forgot" not in page
    assert client.get("/accounts/signup/").status_code == 404
    assert client.get("/accounts/password/reset/").status_code == 404


def test_it_sets_the_instance_up_once(client: Client, db: None) -> None:
    address = f"/set-up/{setup_link(SYSTEM)}"
    values = {"username": "ada", "email": "ada@example.com", "password": GOOD, "again": GOOD}
    assert client.get(address).status_code == 200
    answer = client.post(address, values)
    assert answer.status_code == 302
    assert client.get("/access").status_code == 200
    assert Client().post(address, {**values, "username": "eve"}).status_code in (404, 409)
    assert not User.objects.filter(username="eve").exists()


def test_it_refuses_a_weak_password_and_two_that_differ(client: Client, db: None) -> None:
    address = f"/set-up/{setup_link(SYSTEM)}"
    weak = client.post(address, {"username": "ada", "password": "12345678", "again": "12345678"})
    differ = client.post(address, {"username": "ada", "password": GOOD, "again": f"{GOOD}!"})
    assert (weak.status_code, differ.status_code) == (422, 422)
    assert 'value="ada"' in weak.content.decode()
    assert "qd-field-error" in differ.content.decode()
    assert not User.objects.exists()


def test_it_lets_a_person_choose_a_password_once(client: Client, teammate_user: User) -> None:
    address = f"/welcome/{password_link(SYSTEM, teammate_user)}"
    assert client.post(address, {"password": GOOD, "again": GOOD}).headers["Location"] == "/accounts/login/"
    assert client.post(address, {"password": "another one", "again": "another one"}).status_code == 404
    assert client.login(username="teammate", password=GOOD)


def test_it_shows_a_link_only_in_the_answer_that_makes_it(as_owner: Client, teammate_user: User) -> None:
    made = as_owner.post(f"/access/users/{teammate_user.pk}/link")
    assert "/welcome/" in made.content.decode()
    assert made.headers["Cache-Control"] == "no-store"
    assert "/welcome/" not in as_owner.get(f"/access/users/{teammate_user.pk}").content.decode()


@pytest.mark.parametrize("address", ["/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/", "/me"])
def test_it_shows_the_pages_about_oneself(as_stranger: Client, address: str) -> None:
    assert as_stranger.get(address).status_code == 200


def test_the_sign_in_page_of_a_fresh_instance_tells_of_the_set_up_link(client: Client, db: None) -> None:
    assert "set-up link" in client.get("/accounts/login/").content.decode()


def test_the_sign_in_page_says_nothing_of_it_later(client: Client, owner_user: User) -> None:
    assert "set-up link" not in client.get("/accounts/login/").content.decode()
