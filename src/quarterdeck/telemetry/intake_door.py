"""Asking the intake process, over HTTP with the instance's own key: it may run on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.core.errors import Conflict, NotFound, Unavailable
from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import run_file
from quarterdeck.core.serving import url_of

_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 40


def intake_address() -> str:
    """Return the URL of the intake's common HTTP port: what it said itself, else what the setting says."""
    return str(run_file(settings.DATA, "intake").get("address") or url_of(settings.QD["intake_http"]))


def ask(
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Any = None,
    seconds: float = _ANSWER_SECONDS,
) -> Any:
    """Return the JSON of an answer. Raises NotFound, Conflict, Unavailable when the intake is away or cannot do it."""
    headers = {"Authorization": f"Bearer {instance_key(settings.DATA, 'engine')}"}
    timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
    try:
        # No proxy of the environment: what is asked stays inside.
        with httpx.Client(base_url=intake_address(), headers=headers, timeout=timeout, trust_env=False) as client:
            answer = client.request(method, path, params=dict(params or {}), json=body)
            found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _away() from error
    if answer.is_success:
        return found
    said = str(found.get("status", "")) if isinstance(found, dict) else ""
    if answer.status_code == 404:
        raise NotFound(_("there is no such dead letter"))
    if answer.status_code == 409:
        raise Conflict(said)
    if answer.status_code == 401:
        raise Unavailable(
            _("the intake does not accept this instance's key"),
            hint=_("another instance may have its address; see QD_INTAKE_HTTP"),
        )
    raise Unavailable(said or _("the intake cannot do this now"), hint=_("try again in a moment"))


def _away() -> Unavailable:
    return Unavailable(
        _("the intake does not answer"), hint=_("`quarterdeck status` tells whether it runs; it restarts by itself")
    )
