"""A provider of OpenID Connect on the loopback, and a browser that signs in by it."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from flask import Response, request
from werkzeug.serving import make_server

with warnings.catch_warnings():
    # Of the provider's own use of a library.
    warnings.simplefilter("ignore")
    from oidc_provider_mock import User, app

Claims = dict[str, object]
Spoil = Callable[[dict[str, Any]], dict[str, Any]]


class Provider:
    """`people` are `{"subject": {"claim": value}}`; `spoil["/path"]` changes the JSON that is answered there."""

    def __init__(self, people: dict[str, Claims], *, token_lasts: timedelta = timedelta(hours=1)) -> None:
        self.spoil: dict[str, Spoil] = {}
        self._users = [User(sub=name, claims=dict(claims)) for name, claims in people.items()]
        self.application = app(require_nonce=True, access_token_max_age=token_lasts, user_claims=self._users)
        self.application.after_request(self._answer)
        self._server = make_server("127.0.0.1", 0, self.application, threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def change(self, subject: str, **claims: object) -> None:
        """Let the provider say something else of a person from now on."""
        person = next(user for user in self._users if user.sub == subject)
        httpx.put(f"{self.issuer}/users/{subject}", json={**person.claims, **claims}).raise_for_status()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, response: Response) -> Response:
        if request.path in self.spoil:
            changed = self.spoil[request.path](response.get_json())
            response.set_data(self.application.json.dumps(changed))
        return response


@contextmanager
def provider(people: dict[str, Claims], **options: Any) -> Iterator[Provider]:
    made = Provider(people, **options)
    made.start()
    try:
        yield made
    finally:
        if made._thread.is_alive():
            made.stop()


class Visitor:
    """Somebody with a browser at `url`: follows redirects, keeps cookies, sends forms as the pages have them."""

    def __init__(self, url: str) -> None:
        self.url = url
        # No connection stays open, so nothing needs closing.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=30, limits=limits)

    def send(self, page: str, action: str, **values: str) -> httpx.Response:
        """Send the form with this action that stands on the page; a form without one has the page itself."""
        text = self.http.get(page).text
        form = re.search(rf'<form[^>]* action="({re.escape(action)}[^"]*)".*?</form>', text, re.DOTALL)
        if form is None and page == action:
            form = re.search(r'<form (?![^>]*action=)[^>]*method="post"()[^>]*>.*?</form>', text, re.DOTALL)
        assert form, f"no form with the action {action} on {page}"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.group(0))
        assert token, f"no token in {form.group(0)}"
        values["csrfmiddlewaretoken"] = token.group(1)
        target = unescape(form.group(1)) or page
        return self.http.post(target, data=values, headers={"Referer": self.url + page})

    def to_provider(self, page: str = "/accounts/login/") -> httpx.Response:
        """Press the button; return the provider's page, or ours when it leads nowhere."""
        return self.send(page, "/accounts/oidc/oidc/login/")

    def confirm(self, consent: httpx.URL | str, subject: str) -> httpx.Response:
        """At the provider say who one is; return its redirect back to us, not followed yet."""
        return self.http.post(consent, data={"sub": subject}, follow_redirects=False)

    def sign_in(self, subject: str, page: str = "/accounts/login/") -> httpx.Response:
        back = self.confirm(self.to_provider(page).url, subject)
        return self.http.get(back.headers["Location"])

    def is_signed_in(self) -> bool:
        return self.http.get("/me", follow_redirects=False).status_code == 200


def with_query(url: httpx.URL | str, names_to_drop: Sequence[str] = (), **values: str) -> str:
    """Return the address with other parameters."""
    parts = urlsplit(str(url))
    query = {name: value for name, value in parse_qsl(parts.query) if name not in names_to_drop}
    return parts._replace(query=urlencode({**query, **values})).geturl()
