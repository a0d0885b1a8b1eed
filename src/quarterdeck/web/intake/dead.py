"""Pages of dead letters."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.telemetry.dead_letters import dead_letters, delete_letters, retry_letters, show_letter
from quarterdeck.web.pages import PageRequest, page

_SHOWN = 200


@require_GET
@page("telemetry.intake")
def listing(request: PageRequest) -> HttpResponse:
    context: dict[str, object] = {"may_dead": may(request.actor, "telemetry.dead")}
    try:
        letters = dead_letters(request.actor)
        context |= {"letters": letters[:_SHOWN], "count": len(letters)}
    except Unavailable as error:
        context["error"] = error
    return render(request, "web/intake/dead.html", context)


@require_GET
@page("telemetry.dead")
def letter(request: PageRequest, name: str) -> HttpResponse:
    found = show_letter(request.actor, name)
    response = render(request, "web/intake/letter.html", {"letter": found.letter, "content": found})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@page("telemetry.dead")
def change(request: PageRequest) -> HttpResponseBase:
    """Retry or delete the chosen letters."""
    names = request.POST.getlist("id")
    if request.POST.get("do") == "retry":
        done = retry_letters(request.actor, names)
        text = ngettext(
            "%(count)d dead letter is on its way again.", "%(count)d dead letters are on their way again.", done
        )
    elif request.POST.get("do") == "delete":
        done = delete_letters(request.actor, names)
        text = ngettext("%(count)d dead letter is deleted.", "%(count)d dead letters are deleted.", done)
    else:
        raise BadInput(_("choose to retry or to delete"), field="do")
    messages.success(request, text % {"count": done})
    return redirect("web:intake_dead")
