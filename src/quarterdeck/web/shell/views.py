"""The shell's own forms: what a person looks at on every page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from quarterdeck.inventory import queries
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.viewing import RANGES


def back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page that the form was on; only to this site."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    return HttpResponseRedirect(target)


@require_POST
@page("inventory.view")
def set_selector(request: PageRequest) -> HttpResponse:
    """Keep the selector in the session. A query that does not compile raises BadQuery and changes nothing."""
    text = "" if request.POST.get("clear") else request.POST.get("selector", "").strip()
    if text:
        queries.items(request.actor, text)
    request.session["selector"] = text
    return back(request)


@require_POST
@page()
def set_range(request: PageRequest) -> HttpResponse:
    code = request.POST.get("range", "")
    if code in RANGES:
        request.session["range"] = code
    return back(request)
