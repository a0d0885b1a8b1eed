"""The page of uploaded source maps: what builds sent, when and by whom, and the files of one upload."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.errors.artifacts import actions
from quarterdeck.errors.artifacts.unpacking import as_debug_id
from quarterdeck.web.issues.lists import tabs_of
from quarterdeck.web.pages import PageRequest, page

ROWS_MAX = 200


@require_GET
@page(actions.UPLOAD)
def source_maps(request: PageRequest) -> HttpResponse:
    """The uploads of the release or debug id `?q=`, the newest first; `?upload=` shows the files of one."""
    asked = request.GET.get("q", "").strip()[:255]
    debug_id = as_debug_id(asked)
    release = "" if debug_id else asked
    found = actions.bundles(request.actor, release=release, debug_id=debug_id, limit=ROWS_MAX + 1)
    context: dict[str, Any] = {
        "query": asked,
        "uploads": found[:ROWS_MAX],
        "has_more": len(found) > ROWS_MAX,
        "tabs": tabs_of(request, "source_maps"),
        **_opened(request),
    }
    return render(request, "web/issues/source_maps.html", context)


def _opened(request: PageRequest) -> dict[str, Any]:
    number = request.GET.get("upload", "")
    if not number.isdecimal() or len(number) > 18:
        return {}
    bundle, files = actions.files_of(request.actor, int(number))
    return {"opened": bundle, "files": files}


@require_POST
@page(actions.UPLOAD)
def delete(request: PageRequest, pk: int) -> HttpResponse:
    actions.delete(request.actor, pk)
    messages.success(request, _("The upload is deleted."))
    return HttpResponseRedirect(reverse("web:source_maps"))
