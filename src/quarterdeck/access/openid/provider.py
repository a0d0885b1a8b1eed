"""The provider class that `SOCIALACCOUNT_PROVIDERS` names; django-allauth finds `urls` beside it."""

from __future__ import annotations

import secrets
from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.http import HttpRequest, HttpResponse

from quarterdeck.access.openid.adapter import Adapter


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth has no types
    oauth2_adapter_class = Adapter

    def redirect(self, request: HttpRequest, process: str, **kwargs: Any) -> HttpResponse:
        """Send the browser to the provider with a nonce, which is kept beside the state in the session."""
        nonce = secrets.token_urlsafe(32)
        # Parameters that stand in our own address are not passed on: one of them could be another nonce.
        kwargs["auth_params"] = {**self.get_auth_params(), "nonce": nonce}
        try:
            response: HttpResponse = super().redirect(request, process, nonce=nonce, **kwargs)
        except OAuth2Error as error:
            response = render_authentication_error(request, self, exception=error)
        return response
