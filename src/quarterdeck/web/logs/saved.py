"""Saved views of the page of lines."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from quarterdeck.logs import actions
from quarterdeck.web.pages import PageRequest, page


@require_POST
@page("telemetry.query")
def save(request: PageRequest) -> HttpResponse:
    columns = [name for name in request.POST.get("columns", "").split(",") if name]
    view = actions.save_search(
        request.actor,
        request.POST.get("title", ""),
        request.POST.get("q", ""),
        columns=columns,
        parse=request.POST.get("parse", ""),
        shared=bool(request.POST.get("shared")),
    )
    messages.success(request, _('The view "%(title)s" is saved.') % {"title": view.title})
    address = {"q": view.query, "columns": ",".join(view.columns), "parse": view.parse}
    return HttpResponseRedirect(f"{reverse('web:logs')}?{urlencode({k: v for k, v in address.items() if v})}")


@require_POST
@page("telemetry.query")
def delete(request: PageRequest, pk: int) -> HttpResponse:
    actions.delete_search(request.actor, pk)
    messages.success(request, _("The view is deleted."))
    return HttpResponseRedirect(reverse("web:logs"))
