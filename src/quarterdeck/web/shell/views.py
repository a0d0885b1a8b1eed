"""The shell's own forms: what a person looks at on every page."""

from __future__ import annotations

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
    return HttpResponseRedirect(next_of(request, "/"))
