"""The shell's own forms: what a person looks at on every page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from quarterdeck.inventory import queries
from quarterdeck.web.forms import next_of
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import RANGES


@require_POST
@page("inventory.view")
def set_selector(request: PageRequest) -> HttpResponse:
    """Keep the selector in the session. A query that does not compile raises BadQuery and changes nothing."""
    text = "" if request.POST.get("clear") else request.POST.get("selector", "").strip()
    if text:
        queries.items(request.actor, text)
    request.session["selector"] = text
    return HttpResponseRedirect(next_of(request, "/"))


@require_POST
@page()
def set_range(request: PageRequest) -> HttpResponse:
    code = request.POST.get("range", "")
    if code in RANGES:
        request.session["range"] = code
    return HttpResponseRedirect(_without_range(next_of(request, "/")))


def _without_range(address: str) -> str:
    """An address that was shared names a range, which would hide the one that was just chosen."""
    parts = urlsplit(address)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "range"]
    return urlunsplit(parts._replace(query=urlencode(kept))) if "range=" in parts.query else address
