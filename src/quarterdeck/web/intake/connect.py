"""How to point a client here: its configuration with the real address, and a key that is chosen or newly made."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import NotFound
from quarterdeck.telemetry.intake_status import IntakeStatus
from quarterdeck.telemetry.keys import create_key
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.telemetry.receiving import Receiver
from quarterdeck.web.forms import errors_into, form_status
from quarterdeck.web.intake.forms import ConnectKeyForm
from quarterdeck.web.intake.overview import status_or_error
from quarterdeck.web.intake.protocols import is_for_this_machine_only, ports_of, setups, signal_title
from quarterdeck.web.pages import PageRequest, page


@require_GET
@page("telemetry.intake")
def connect(request: PageRequest, protocol: str) -> HttpResponse:
    receiver = _receiver(protocol)
    chosen = request.GET.get("key", "")
    keys = _keys_for(request, protocol)
    key = next((one for one in keys if str(one.pk) == chosen), None)
    form = ConnectKeyForm(initial={"name": protocol.replace("_", "-")})
    return _page(request, protocol, receiver, {"form": form, "key": key})


@require_POST
@page("telemetry.keys")
def new_key(request: PageRequest, protocol: str) -> HttpResponse:
    """Make a key for this protocol and answer with it in place; in this page only, so that no session keeps it."""
    receiver = _receiver(protocol)
    form = ConnectKeyForm(request.POST)
    context: dict[str, Any] = {"form": form, "key": None}
    if form.is_valid():
        with errors_into(form):
            key, plain = create_key(request.actor, form.cleaned_data["name"], protocols=[protocol])
            context = {"form": ConnectKeyForm(), "key": key, "plain": plain}
    response = _page(request, protocol, receiver, context, status=form_status(form))
    response.headers["Cache-Control"] = "no-store"
    return response


def _receiver(protocol: str) -> Receiver:
    receiver = receivers().get(protocol)
    if receiver is None:
        raise NotFound(_('no protocol is called "%(name)s"') % {"name": protocol[:60]})
    return receiver


def _keys_for(request: PageRequest, protocol: str) -> list[IntakeKey]:
    if not may(request.actor, "telemetry.keys"):
        return []
    return [key for key in IntakeKey.objects.filter(revoked_at=None) if not key.protocols or protocol in key.protocols]


def _page(
    request: PageRequest, protocol: str, receiver: Receiver, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    found: IntakeStatus | None
    found, error = status_or_error(request) if may(request.actor, "telemetry.intake") else (None, None)
    key: IntakeKey | None = context["key"]
    configurations = setups(receiver, request, key.pk if key else 1)
    more = {
        "protocol": protocol,
        "title": _(receiver.title),
        "signals": [signal_title(signal) for signal in receiver.signals],
        "ports": list(ports_of(protocol, receiver, found)),
        "error": error,
        "keys": _keys_for(request, protocol),
        "setups": configurations,
        "takes_key": any(len(one.parts) > 1 for one in configurations),
        "placeholder": f"{key.hint}…" if key else _("YOUR-KEY"),
        "may_keys": may(request.actor, "telemetry.keys"),
        "is_local_only": is_for_this_machine_only(settings.QD["intake_http"]),
        "is_loopback_open": settings.QD["intake_loopback_open"],
        "counts": next((row for row in found.protocols if row.protocol == protocol), None) if found else None,
    }
    return render(request, "web/intake/connect.html", {**more, **context}, status=status)
