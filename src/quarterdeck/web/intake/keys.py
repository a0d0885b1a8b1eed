"""Pages of intake keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.telemetry.intake_status import IntakeStatus
from quarterdeck.telemetry.keys import change_key, create_key, key_of, keys_of, revoke_key
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.intake.forms import KeyForm
from quarterdeck.web.intake.overview import status_or_error
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first


def _rows(keys: Iterable[IntakeKey], status: IntakeStatus | None) -> list[dict[str, Any]]:
    known = receivers()
    rows = []
    for key in keys:
        counts = [row for row in status.keys if row.key_id == key.pk] if status else []
        rows.append(
            {
                "key": key,
                "protocols": [_(known[name].title) if name in known else name for name in key.protocols],
                "accepted": sum(row.accepted for row in counts) if status else None,
                "refused": sum(row.refused for row in counts) if status else None,
                "last_at": max((row.last_at for row in counts if row.last_at), default=None),
            }
        )
    return rows


def _page(request: PageRequest, **more: Any) -> HttpResponse:
    status = status_or_error(request)[0] if may(request.actor, "telemetry.intake") else None
    keys, cursor = newest_first(keys_of(request.actor), request.GET.get("after", ""))
    context = {"keys": _rows(keys, status), "next_cursor": cursor, **more}
    return render(request, "web/intake/keys.html", context)


@require_GET
@page("telemetry.keys")
def listing(request: PageRequest) -> HttpResponse:
    return _page(request)


@require_http_methods(["GET", "HEAD", "POST"])
@page("telemetry.keys")
def new(request: PageRequest) -> HttpResponse:
    form = KeyForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            key, plain = create_key(request.actor, **form.cleaned_data)
            # In this page only: no redirect, so that no session keeps a secret.
            response = _page(request, plain=plain, new_key=key)
            response.headers["Cache-Control"] = "no-store"
            return response
    text = _("It lets senders in who are not on this machine. Its text is shown once, after you made it.")
    return _form(request, form, _("New intake key"), _("Make the key"), text)


@require_http_methods(["GET", "HEAD", "POST"])
@page("telemetry.keys")
def edit(request: PageRequest, pk: int) -> HttpResponseBase:
    key = key_of(request.actor, pk)
    form = KeyForm(posted(request)[0], initial=KeyForm.initial_of(key))
    if form.is_valid():
        with errors_into(form):
            change_key(request.actor, pk, form.cleaned_data)
            messages.success(request, _("Saved. It holds within two seconds."))
            return redirect("web:intake_keys")
    return _form(request, form, key.name, _("Save"), "")


def _form(request: PageRequest, form: KeyForm, title: str, action: str, text: str) -> HttpResponse:
    context = {"form": form, "title": title, "text": text, "action": action, "back": reverse("web:intake_keys")}
    return render(request, "web/intake/form.html", context, status=form_status(form))


@require_POST
@page("telemetry.keys")
def revoke(request: PageRequest, pk: int) -> HttpResponseBase:
    key = revoke_key(request.actor, pk)
    messages.success(request, _("Key %(name)s is revoked.") % {"name": key.name})
    return redirect("web:intake_keys")
