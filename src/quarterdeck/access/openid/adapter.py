"""What is asked of the provider, and what of its answers is believed.

Django-allauth takes an ID token without looking at its signature, because it came over TLS from the provider, and sends
no nonce. An issuer may be on plain http here, so both are checked.
See https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from requests import RequestException

# Only with public keys: "none" is no signature, and one by the client secret would make the public key a secret.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat"]
_ENDPOINTS = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
# How far the provider's clock may be from ours.
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 5


class Unreachable(OAuth2Error):  # type: ignore[misc]  # allauth has no types
    """The provider gave no answer, or not one that can be read."""


class Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth has no types
    """The provider as one sign-in sees it. `nonce` is the one that this sign-in sent there."""

    nonce = ""

    @cached_property
    def openid_config(self) -> dict[str, Any]:
        """Return the provider's metadata. Raises Unreachable, and OAuth2Error when an address is missing in it."""
        url = self.get_provider().server_url
        try:
            with get_adapter().get_requests_session() as session:
                answer = session.get(url)
                answer.raise_for_status()
                found = answer.json()
        except RequestException as error:
            raise Unreachable(str(error)) from error
        missing = [name for name in _ENDPOINTS if not isinstance(found, dict) or name not in found]
        if missing:
            raise OAuth2Error(f"{url} lacks {', '.join(missing)}")
        return dict(found)

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """Return the address that is registered at the provider: below `public_url`, wherever the request came in."""
        url = str(super().get_callback_url(request, app))
        public = settings.QD["public_url"].rstrip("/")
        return public + url.removeprefix(request.build_absolute_uri("/").rstrip("/")) if public else url

    def get_access_token_data(self, request: HttpRequest, app: Any, client: Any, **options: Any) -> dict[str, Any]:
        try:
            return dict(super().get_access_token_data(request, app, client, **options))
        except RequestException as error:
            raise Unreachable(str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("the answer to the code is not understood") from error

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Return allauth's SocialLogin of whom the ID token names. Raises OAuth2Error, RequestException."""
        claims = self._verified(app, kwargs["response"].get("id_token"))
        information: Any = {}
        if "userinfo_endpoint" in self.openid_config:
            information = self._fetch_user_info(token.token)
            # Else the information of one person could be put beside the token of another, section 5.3.2 there.
            if not isinstance(information, dict) or information.get("sub") != claims["sub"]:
                raise OAuth2Error("the user information is not about whom the ID token names")
        data = {"id_token": claims, "userinfo": {**claims, **information}}
        return self.get_provider().sociallogin_from_response(request, data)

    def _verified(self, app: Any, id_token: Any) -> dict[str, Any]:
        """Return the claims of an ID token that the provider made for us, now, for this very sign-in."""
        if not isinstance(id_token, str):
            raise OAuth2Error("the provider sent no ID token")
        try:
            keys = jwt.PyJWKClient(self.openid_config["jwks_uri"], timeout=_TIMEOUT_SECONDS).get_jwk_set().keys
            claims = jwt.decode(
                id_token,
                _signing_key(keys, id_token),
                algorithms=_ALGORITHMS,
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Unreachable(str(error)) from error
        except jwt.PyJWTError as error:
            raise OAuth2Error(f"the ID token is not valid: {error}") from error
        if not self.nonce or claims.get("nonce") != self.nonce:
            raise OAuth2Error("the ID token is of another sign-in: its nonce differs")
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("the ID token was made for another client")
        return claims


def _signing_key(keys: Sequence[jwt.PyJWK], id_token: str) -> jwt.PyJWK:
    """Return the key that the token names, else the only one. Raises OAuth2Error, and PyJWTError for no token at all.

    See https://openid.net/specs/openid-connect-core-1_0.html#Signing
    """
    name = jwt.get_unverified_header(id_token).get("kid")
    found = [key for key in keys if key.public_key_use in ("sig", None) and name in (None, key.key_id)]
    if len(found) != 1:
        raise OAuth2Error(f"the ID token is not valid: of the provider's keys {len(found)} may have signed it")
    return found[0]
