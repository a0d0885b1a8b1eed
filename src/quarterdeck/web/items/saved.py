"""Saved views: a query with its columns and sort, under a name; shared ones are for everybody."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import actions
from quarterdeck.web.pages import PageRequest, page


@require_POST
@page("inventory.view")
def save(request: PageRequest) -> HttpResponse:
    title = request.POST.get("title", "").strip()
    if not title:
        raise BadInput(_("A view needs a name."), hint=_("Write one and save again."), field="title")
    view = actions.save_view(
        request.actor,
        title,
        request.POST.get("q", ""),
        slug=request.POST.get("slug", ""),
        columns=request.POST.getlist("columns"),
        sort=request.POST.get("sort", ""),
        shared=bool(request.POST.get("shared")),
    )
    messages.success(request, _('The view "%(title)s" is saved.') % {"title": view.title})
    return HttpResponseRedirect(f"{reverse('web:items')}?{urlencode({'view': view.slug})}")


@require_POST
@page("inventory.view")
def delete(request: PageRequest, slug: str) -> HttpResponse:
    actions.delete_view(request.actor, slug)
    messages.success(request, _("The view is deleted."))
    return HttpResponseRedirect(reverse("web:items"))
