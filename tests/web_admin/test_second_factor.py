"""The second factor: set up, asked for at sign-in, recovery codes, and OpenID Connect's button."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client, override_settings

from quarterdeck.access.models import User
from quarterdeck.audit.models import AuditEvent

PASSWORD = "teammate-teammate-0"


def code_of(secret: str, step: int = 0) -> str:
    """The code of now, or of `step` periods of 30 s later. See https://www.rfc-editor.org/rfc/rfc6238"""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def sign_in(client: Client) -> str:
    answer = client.post("/accounts/login/", {"login": "teammate", "password": PASSWORD})
    return str(answer.headers["Location"])


def confirm(client: Client) -> None:
    """Changes of how one signs in ask for the password again."""
    assert client.get("/accounts/2fa/totp/activate/").headers["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def set_up(client: Client) -> tuple[str, list[str]]:
    """Set the authenticator app up; return its secret and the recovery codes."""
    sign_in(client)
    confirm(client)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert "data:image/svg+xml" in page
    secret = re.search(r'id="totp-secret" value="(\w+)"', page)
    assert secret is not None
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret.group(1))})
    codes = client.get("/accounts/2fa/recovery-codes/").content.decode()
    return secret.group(1), re.findall(r"<li>(\w+)</li>", codes.partition("qd-codes")[2])


# A code is taken once, so the second one is that of the next 30 seconds.
@override_settings(MFA_TOTP_TOLERANCE=1)
def test_it_asks_for_the_code_at_the_next_sign_in(teammate_user: User) -> None:
    secret, codes = set_up(Client())
    assert len(codes) == 10
    browser = Client()
    assert sign_in(browser) == "/accounts/2fa/authenticate/"
    assert browser.get("/types").status_code == 302
    wrong = browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "qd-field-error" in wrong.content.decode()
    right = browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret, step=1)})
    assert right.status_code == 302
    assert browser.get("/types").status_code == 200


def test_a_recovery_code_works_once(teammate_user: User) -> None:
    _secret, codes = set_up(Client())
    first, second = Client(), Client()
    sign_in(first)
    sign_in(second)
    assert first.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == 302
    assert second.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == 200
    assert second.get("/types").status_code == 302


def test_a_wrong_code_sets_nothing_up(client: Client, teammate_user: User) -> None:
    sign_in(client)
    confirm(client)
    client.get("/accounts/2fa/totp/activate/")
    answer = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert "qd-field-error" in answer.content.decode()
    assert not Authenticator.objects.exists()


def test_setting_it_up_and_down_is_in_the_audit_log(
    teammate_user: User, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[list[object]]]
) -> None:
    browser = Client()
    with django_capture_on_commit_callbacks(execute=True):
        set_up(browser)
    assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))
    assert "access.second_factor_added" in verbs
    assert "access.second_factor_removed" in verbs
    assert not Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()


def test_the_identity_provider_has_a_button_when_it_is_set(client: Client, db: None) -> None:
    assert "/accounts/oidc/" not in client.get("/accounts/login/").content.decode()
    app = {
        "provider_id": "corp",
        "name": "Corp <SSO>",
        "client_id": "qd",
        "secret": "s",
        "settings": {"server_url": "https://id.example"},
    }
    with override_settings(SOCIALACCOUNT_PROVIDERS={"openid_connect": {"APPS": [app]}}):
        page = client.get("/accounts/login/").content.decode()
    assert "/accounts/oidc/corp/login/" in page
    assert "Corp &lt;SSO&gt;" in page
