"""Sign-in by a real provider of OpenID Connect: from the button to the audit log, and what it must refuse."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group
from django.core.cache import cache
from tests.lab.instances import running_instance
from tests.lab.openid import Provider, Visitor, provider, with_query
from tests.people import person

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit import queries
from quarterdeck.audit.models import AuditEvent
from quarterdeck.conf import settings as product

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    # Of the provider, which runs in a thread of the tests.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:oidc_provider_mock.*"),
]

PEOPLE: dict[str, dict[str, object]] = {
    "ada-1": {
        "preferred_username": "ada",
        "email": "ada@example.com",
        "email_verified": True,
        "given_name": "Ada",
        "groups": ["operators", "nowhere"],
    },
    "bob-2": {"preferred_username": "bob", "email": "bob@example.com", "email_verified": False},
    "eve-3": {"preferred_username": "owner", "email": "eve@example.com", "email_verified": True},
}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def known() -> Iterator[Provider]:
    """The provider, at which we are known."""
    with provider(PEOPLE) as started:
        yield started


@pytest.fixture
def visitor(live_server: Any, settings: Any, known: Provider) -> Visitor:
    """Somebody at the sign-in page of an instance that is set up and knows the provider."""
    cache.clear()
    use(settings, known)
    person("owner", Role.objects.get(name="admin"))
    return Visitor(live_server.url)


def use(settings: Any, known: Provider, **options: object) -> None:
    """Set what `QD_OIDC_...` would have set."""
    app = {
        "provider_id": "oidc",
        "name": "OpenID Connect",
        "client_id": "quarterdeck",
        "secret": "of the client",
        "settings": {"server_url": known.issuer},
    }
    ours = product.SOCIALACCOUNT_PROVIDERS["openid_connect"]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {**ours, "APPS": [app]}}
    settings.QD = {**settings.QD, "oidc_issuer": known.issuer, **options}


def newest(verb: str = "access.sign_in") -> AuditEvent:
    return AuditEvent.objects.filter(verb=verb).latest("seq")


def assert_refused(visitor: Visitor, page: httpx.Response, cause: str) -> None:
    """A page with a sentence, nobody signed in, no identity kept, and the cause in the audit log."""
    assert page.status_code in (401, 403), page.text
    assert "Sign-in failed" in page.text
    assert "Traceback" not in page.text
    assert not visitor.is_signed_in()
    assert not SocialAccount.objects.exists()
    event = newest()
    assert (event.result, event.actor_kind, event.auth_method) == ("denied", "anonymous", "openid_connect")
    assert cause in event.error


def test_the_first_sign_in_makes_an_account_without_rights(visitor: Visitor) -> None:
    page = visitor.sign_in("ada-1")
    assert page.url.host == urlsplit(visitor.url).hostname
    assert visitor.is_signed_in()
    ada = User.objects.get(username="ada")
    assert (ada.email, ada.first_name, ada.has_usable_password()) == ("ada@example.com", "Ada", False)
    assert not ada.role_bindings.exists()
    assert not ada.groups.exists()
    assert visitor.http.get("/types").status_code == 403
    made = newest("access.create_user")
    assert (made.object_id, made.actor_name, made.result) == (str(ada.pk), "system:oidc", "ok")


def test_the_sign_in_is_in_the_audit_log_with_its_way(visitor: Visitor) -> None:
    visitor.sign_in("ada-1")
    event = newest()
    assert (event.result, event.actor_name, event.auth_method) == ("ok", "ada", "openid_connect")
    assert event.source_ip == "127.0.0.1"
    assert event.user_agent.startswith("python-httpx")
    visitor.send("/me", "/accounts/logout/")
    assert newest("access.sign_out").actor_name == "ada"
    assert queries.verify().ok


def test_the_second_sign_in_enters_the_same_account(visitor: Visitor, known: Provider) -> None:
    visitor.sign_in("ada-1")
    known.change("ada-1", preferred_username="countess", email="other@example.com")
    again = Visitor(visitor.url)
    again.sign_in("ada-1")
    assert again.is_signed_in()
    assert newest().actor_name == "ada"
    assert User.objects.count() == 2


def test_a_name_that_is_taken_gives_another_account_not_that_one(visitor: Visitor) -> None:
    visitor.sign_in("eve-3")
    assert visitor.is_signed_in()
    eve = User.objects.get(email="eve@example.com")
    assert eve.username != "owner"
    assert not eve.role_bindings.exists()


def test_it_makes_no_account_when_that_is_switched_off(visitor: Visitor, known: Provider, settings: Any) -> None:
    use(settings, known, oidc_creates_accounts=False)
    page = visitor.sign_in("ada-1")
    assert_refused(visitor, page, "You have no account here.")
    assert "Ask an administrator of this instance for an account." in page.text
    assert not User.objects.filter(username="ada").exists()
    assert newest().object_name == "ada-1"


def test_it_still_recognises_people_when_that_is_switched_off(visitor: Visitor, known: Provider, settings: Any) -> None:
    use(settings, known, oidc_creates_accounts=False)
    ada = User.objects.create_user("a.lovelace", "Ada@Example.com")
    visitor.sign_in("ada-1")
    assert newest().actor_id == str(ada.pk)
    assert visitor.is_signed_in()


def test_nobody_enters_before_the_set_up(visitor: Visitor) -> None:
    User.objects.all().delete()
    page = visitor.sign_in("ada-1")
    assert_refused(visitor, page, "Nobody has an account here yet.")
    assert "set-up link" in page.text
    assert not User.objects.exists()


def test_it_links_an_account_that_waits_for_its_person(visitor: Visitor) -> None:
    waiting = User.objects.create_user("a.lovelace", "ada@example.com")
    visitor.sign_in("ada-1")
    assert visitor.is_signed_in()
    assert SocialAccount.objects.get().user_id == waiting.pk
    assert User.objects.count() == 2
    linked = newest("access.connect_identity")
    assert (linked.object_id, linked.after) == (str(waiting.pk), {"provider": "oidc", "subject": "ada-1"})


def has_a_role(user: User) -> None:
    RoleBinding.objects.create(role=Role.objects.get(name="viewer"), user=user)


def is_in_a_group(user: User) -> None:
    user.groups.add(Group.objects.create(name="operators"))


def is_in_use(user: User) -> None:
    user.last_login = user.date_joined
    user.save()


def is_inactive(user: User) -> None:
    user.is_active = False
    user.save()


def is_one_of_two(user: User) -> None:
    User.objects.create_user("twin", user.email)


@pytest.mark.parametrize("but", [has_a_role, is_in_a_group, is_in_use, is_inactive, is_one_of_two])
def test_it_links_no_account_by_its_address_that(but: Any, visitor: Visitor) -> None:
    but(User.objects.create_user("a.lovelace", "ada@example.com"))
    page = visitor.sign_in("ada-1")
    assert_refused(visitor, page, "Somebody here has your e-mail address already.")
    assert "connect the identity provider under My account" in page.text


def test_it_links_nobody_by_an_address_that_is_not_verified(visitor: Visitor) -> None:
    User.objects.create_user("robert", "bob@example.com")
    assert_refused(visitor, visitor.sign_in("bob-2"), "Somebody here has your e-mail address already.")


def by_password(visitor: Visitor, name: str) -> httpx.Response:
    return visitor.send("/accounts/login/", "/accounts/login/", login=name, password=f"{name}-{name}-0")


def test_whoever_is_signed_in_connects_and_disconnects_the_provider(visitor: Visitor) -> None:
    by_password(visitor, "owner")
    assert newest().auth_method == "password"
    # An account that waits for the same address must not get the identity that somebody else brings.
    User.objects.create_user("a.lovelace", "ada@example.com")
    visitor.sign_in("ada-1", page="/accounts/3rdparty/")
    owner = User.objects.get(username="owner")
    assert SocialAccount.objects.get().user_id == owner.pk
    assert newest("access.connect_identity").actor_name == "owner"
    again = Visitor(visitor.url)
    again.sign_in("ada-1")
    assert (newest().actor_name, newest().auth_method) == ("owner", "openid_connect")
    account = SocialAccount.objects.get()
    again.send("/accounts/3rdparty/", "/accounts/3rdparty/", account=str(account.pk))
    assert not SocialAccount.objects.exists()
    assert newest("access.disconnect_identity").before == {"provider": "oidc", "subject": "ada-1"}


def test_somebody_who_was_deactivated_does_not_come_in(visitor: Visitor) -> None:
    visitor.sign_in("ada-1")
    User.objects.filter(username="ada").update(is_active=False)
    again = Visitor(visitor.url)
    page = again.sign_in("ada-1")
    assert not again.is_signed_in()
    assert "Traceback" not in page.text
    assert (newest().result, newest().object_name) == ("denied", "ada")


def test_the_second_factor_is_asked_for_here_too(visitor: Visitor) -> None:
    visitor.sign_in("ada-1")
    TOTP.activate(User.objects.get(username="ada"), SECRET)
    again = Visitor(visitor.url)
    page = again.sign_in("ada-1")
    assert page.url.path == "/accounts/2fa/authenticate/"
    assert not again.is_signed_in()
    code = format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))
    again.send("/accounts/2fa/authenticate/", "/accounts/2fa/authenticate/", code=code)
    assert again.is_signed_in()
    assert (newest().result, newest().auth_method) == ("ok", "openid_connect+totp")
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_the_claim_joins_groups_that_exist_and_makes_none(visitor: Visitor, known: Provider, settings: Any) -> None:
    use(settings, known, oidc_groups_claim="groups")
    Group.objects.create(name="operators")
    Group.objects.create(name="auditors")
    visitor.sign_in("ada-1")
    ada = User.objects.get(username="ada")
    assert [group.name for group in ada.groups.all()] == ["operators"]
    assert not Group.objects.filter(name="nowhere").exists()
    joined = newest("access.join_groups")
    assert (joined.before, joined.after) == ({"groups": []}, {"groups": ["operators"]})
    known.change("ada-1", groups=["auditors"])
    Visitor(visitor.url).sign_in("ada-1")
    assert [group.name for group in ada.groups.all()] == ["auditors"]


@pytest.mark.parametrize("said", [None, "operators", 7, {"operators": True}])
def test_a_claim_that_is_no_list_changes_no_groups(
    said: object, visitor: Visitor, known: Provider, settings: Any
) -> None:
    use(settings, known, oidc_groups_claim="groups")
    Group.objects.create(name="operators")
    known.change("ada-1", groups=said)
    visitor.sign_in("ada-1")
    assert visitor.is_signed_in()
    assert not User.objects.get(username="ada").groups.exists()


def test_without_the_setting_no_claim_joins_groups(visitor: Visitor) -> None:
    Group.objects.create(name="operators")
    visitor.sign_in("ada-1")
    assert not User.objects.get(username="ada").groups.exists()


def test_the_claim_does_not_take_the_last_administrators_group(
    visitor: Visitor, known: Provider, settings: Any
) -> None:
    use(settings, known, oidc_groups_claim="groups")
    chiefs = Group.objects.create(name="chiefs")
    RoleBinding.objects.create(role=Role.objects.get(name="admin"), group=chiefs)
    known.change("ada-1", groups=["chiefs"])
    visitor.sign_in("ada-1")
    User.objects.get(username="owner").delete()
    known.change("ada-1", groups=[])
    again = Visitor(visitor.url)
    again.sign_in("ada-1")
    assert again.is_signed_in()
    assert [group.name for group in User.objects.get(username="ada").groups.all()] == ["chiefs"]
    kept = newest("access.join_groups")
    assert (kept.result, kept.error) == ("denied", "this would leave no administrator")
    assert queries.verify().ok


def come_back(visitor: Visitor, subject: str = "ada-1", **changes: str) -> httpx.Response:
    """Sign in, with other parameters on the way back."""
    back = visitor.confirm(visitor.to_provider().url, subject)
    return visitor.http.get(with_query(back.headers["Location"], **changes))


def test_it_sends_state_nonce_and_a_code_challenge(visitor: Visitor) -> None:
    asked = parse_qs(urlsplit(str(visitor.to_provider().url)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["nonce"][0]) >= 32
    assert asked["state"][0] != asked["nonce"][0]
    assert asked["redirect_uri"] == [f"{visitor.url}/accounts/oidc/oidc/login/callback/"]


def test_the_way_back_is_below_the_public_address(visitor: Visitor, known: Provider, settings: Any) -> None:
    use(settings, known, public_url="https://deck.example/")
    asked = parse_qs(urlsplit(str(visitor.to_provider().url)).query)
    assert asked["redirect_uri"] == ["https://deck.example/accounts/oidc/oidc/login/callback/"]


def test_it_refuses_a_wrong_state(visitor: Visitor) -> None:
    assert_refused(visitor, come_back(visitor, state="guessed"), "no sign-in of this browser")


def test_it_refuses_an_answer_in_another_browser(visitor: Visitor) -> None:
    """Else somebody could make us sign in as them, by a link."""
    back = visitor.confirm(visitor.to_provider().url, "ada-1").headers["Location"]
    victim = Visitor(visitor.url)
    assert_refused(victim, victim.http.get(back), "no sign-in of this browser")


def test_it_refuses_the_same_answer_twice(visitor: Visitor) -> None:
    back = visitor.confirm(visitor.to_provider().url, "ada-1").headers["Location"]
    visitor.http.get(back)
    visitor.send("/me", "/accounts/logout/")
    assert visitor.http.get(back).status_code == 401
    assert not visitor.is_signed_in()


def test_it_refuses_a_code_that_was_not_given(visitor: Visitor) -> None:
    assert_refused(visitor, come_back(visitor, code="guessed"), "Error retrieving access token")


def test_it_refuses_a_token_with_another_nonce(visitor: Visitor) -> None:
    """The provider signs it: it is of a sign-in that somebody else began."""
    consent = with_query(visitor.to_provider().url, nonce="of-another-sign-in")
    back = visitor.confirm(consent, "ada-1")
    assert_refused(visitor, visitor.http.get(back.headers["Location"]), "its nonce differs")


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def other_person(answer: dict[str, Any]) -> dict[str, Any]:
    head, _payload, signature = answer["id_token"].split(".")
    claims = {**claims_of(answer["id_token"]), "sub": "eve-3"}
    return {**answer, "id_token": f"{head}.{part(claims)}.{signature}"}


def unsigned(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "id_token": f"{part({'alg': 'none'})}.{part(claims_of(answer['id_token']))}."}


def unsigned_with_the_key(answer: dict[str, Any]) -> dict[str, Any]:
    encoded = answer["id_token"].split(".")[0]
    head = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return {**answer, "id_token": f"{part({**head, 'alg': 'none'})}.{part(claims_of(answer['id_token']))}."}


def by_no_key(answer: dict[str, Any]) -> dict[str, Any]:
    _head, payload, signature = answer["id_token"].split(".")
    return {**answer, "id_token": f"{part({'alg': 'RS256', 'kid': 'mine'})}.{payload}.{signature}"}


def no_token(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "id_token"}


def rubbish(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "id_token": "rubbish"}


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (other_person, "the ID token is not valid"),
        (unsigned, "the ID token is not valid"),
        (unsigned_with_the_key, "the ID token is not valid"),
        (by_no_key, "the ID token is not valid"),
        (rubbish, "the ID token is not valid"),
        (no_token, "the provider sent no ID token"),
    ],
)
def test_it_refuses_a_token_that_was_tampered_with(spoil: Any, cause: str, visitor: Visitor, known: Provider) -> None:
    known.spoil["/oauth2/token"] = spoil
    assert_refused(visitor, visitor.sign_in("ada-1"), cause)


def test_it_refuses_a_token_for_another_client(visitor: Visitor, known: Provider) -> None:
    asked = visitor.to_provider().url
    elsewhere = "https://elsewhere.example/"
    plain = with_query(asked, ("code_challenge", "code_challenge_method"), client_id="another", redirect_uri=elsewhere)
    code = parse_qs(urlsplit(visitor.confirm(plain, "ada-1").headers["Location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": elsewhere, "client_id": "another"}
    theirs = httpx.post(f"{known.issuer}/oauth2/token", data={**form, "client_secret": "theirs"}).json()["id_token"]
    known.spoil["/oauth2/token"] = lambda answer: {**answer, "id_token": theirs}
    back = visitor.confirm(asked, "ada-1")
    assert_refused(visitor, visitor.http.get(back.headers["Location"]), "Audience")


def test_it_refuses_a_token_that_is_too_old(live_server: Any, settings: Any, visitor: Visitor) -> None:
    with provider(PEOPLE, token_lasts=timedelta(hours=-1)) as slow:
        use(settings, slow)
        assert_refused(visitor, visitor.sign_in("ada-1"), "expired")


def test_it_refuses_a_token_of_another_issuer(visitor: Visitor, known: Provider) -> None:
    known.spoil["/.well-known/openid-configuration"] = lambda found: {**found, "issuer": "https://id.example"}
    assert_refused(visitor, visitor.sign_in("ada-1"), "issuer")


def test_it_refuses_information_about_somebody_else(visitor: Visitor, known: Provider) -> None:
    known.spoil["/userinfo"] = lambda found: {**found, "sub": "eve-3"}
    assert_refused(visitor, visitor.sign_in("ada-1"), "not about whom the ID token names")


def test_it_takes_the_token_alone_when_there_is_no_user_information(visitor: Visitor, known: Provider) -> None:
    known.spoil["/.well-known/openid-configuration"] = lambda found: {
        name: value for name, value in found.items() if name != "userinfo_endpoint"
    }
    visitor.sign_in("ada-1")
    assert newest().actor_name == "ada"
    assert visitor.is_signed_in()


def test_it_says_when_the_person_stopped_at_the_provider(visitor: Visitor) -> None:
    asked = visitor.to_provider().url
    back = visitor.http.post(asked, data={"action": "deny"}, follow_redirects=False)
    state = parse_qs(urlsplit(str(asked)).query)["state"][0]
    page = visitor.http.get(with_query(back.headers["Location"], state=state))
    assert "cancelled at the identity provider" in page.text
    assert (newest().result, newest().error) == ("denied", "cancelled at the identity provider")
    assert not visitor.is_signed_in()


def test_a_provider_that_is_down_gives_a_sentence(visitor: Visitor, known: Provider) -> None:
    known.stop()
    page = visitor.to_provider()
    assert_refused(visitor, page, "refused")
    assert "The identity provider does not answer." in page.text


def test_a_provider_that_goes_down_on_the_way_gives_a_sentence(visitor: Visitor, known: Provider) -> None:
    back = visitor.confirm(visitor.to_provider().url, "ada-1")
    known.stop()
    page = visitor.http.get(back.headers["Location"])
    assert_refused(visitor, page, "refused")
    assert "The identity provider does not answer." in page.text


def test_metadata_that_lack_an_address_give_a_sentence(visitor: Visitor, known: Provider) -> None:
    known.spoil["/.well-known/openid-configuration"] = lambda found: {"issuer": found["issuer"]}
    assert_refused(visitor, visitor.to_provider(), "lacks authorization_endpoint")


def test_refusals_without_end_fill_no_log(visitor: Visitor) -> None:
    for number in range(5):
        visitor.http.get(f"/accounts/oidc/oidc/login/callback/?state=guess{number}&code=x")
    assert AuditEvent.objects.filter(verb="access.sign_in", result="denied").count() == 1


def test_a_link_signs_nobody_in(visitor: Visitor) -> None:
    page = visitor.http.get("/accounts/oidc/oidc/login/")
    assert page.url.path == "/accounts/oidc/oidc/login/"
    assert "Sign in with OpenID Connect" in page.text


def test_there_is_no_button_and_no_way_when_it_is_not_set(live_server: Any) -> None:
    visitor = Visitor(live_server.url)
    assert "/accounts/oidc/" not in visitor.http.get("/accounts/login/").text
    assert visitor.http.get("/accounts/oidc/oidc/login/").status_code == 404
    assert visitor.http.get("/accounts/oidc/oidc/login/callback/?code=x&state=y").status_code == 404


def test_the_settings_of_an_instance_are_all_it_needs(known: Provider) -> None:
    environment = {
        "QD_OIDC_ISSUER": f"{known.issuer}/",
        "QD_OIDC_CLIENT_ID": "quarterdeck",
        "QD_OIDC_CLIENT_SECRET": "of the client",
        "QD_OIDC_GROUPS_CLAIM": "groups",
    }
    with running_instance(environment) as instance:
        early = Visitor(instance.url)
        assert early.sign_in("ada-1").status_code == 403
        assert not early.is_signed_in()
        link = instance.set_up_link
        words = "correct horse battery staple"
        Visitor(instance.url).send(
            link.removeprefix(instance.url),
            urlsplit(link).path,
            username="first",
            email="first@example.com",
            password=words,
            again=words,
        )
        ada = Visitor(instance.url)
        ada.sign_in("ada-1")
        assert ada.is_signed_in()
        status, found = instance.get("/api/v1/audit?q=verb:access.sign_in", token=instance.token)
        assert status == 200
        ways = {(row["actor"]["name"], row["actor"]["auth_method"], row["result"]) for row in found["items"]}
        assert {("ada", "openid_connect", "ok"), ("anonymous", "openid_connect", "denied")} <= ways
