"""The import wizard: upload, match, try, apply. Each step's truth is the Import record, so any page may be reopened."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from quarterdeck.inventory.exchange.detect import formats
from quarterdeck.inventory.exchange.uploads import import_of, start_import, upload
from quarterdeck.inventory.models import Import
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.imports.forms import MatchForm, UploadForm
from quarterdeck.web.pages import PageRequest, page

_RECENT = 10
# More rows of errors than this are downloaded rather than read.
ERRORS_SHOWN = 100
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.import")
def imports(request: PageRequest) -> HttpResponseBase:
    """Take a file; below it, the actor's latest imports."""
    form = UploadForm(*posted(request))
    if form.is_valid():
        file = form.cleaned_data["file"]
        with errors_into(form):
            found = upload(request.actor, file.name, file.chunks(), format=form.cleaned_data["format"])
            return redirect("web:import", found.pk)
    mine = Import.objects.filter(actor_kind=request.actor.kind.value, actor_id=request.actor.id)
    context = {
        "form": form,
        "recent": mine.order_by("-pk")[:_RECENT],
        "formats": [gettext(plugin.title) for plugin in formats().values()],
        "step": 1,
    }
    return render(request, "web/imports/upload.html", context, status=form_status(form))


@require_GET
@page("inventory.import")
def import_page(request: PageRequest, pk: int) -> HttpResponseBase:
    """Where the import stands: what to match by, the result of the trial, or of the import itself."""
    found = import_of(request.actor, pk)
    if found.phase == Import.Phase.RUNNING:
        return redirect("web:import_progress", pk)
    return render(request, "web/imports/import.html", _context(found, _match_form(found)))


def _match_form(found: Import) -> MatchForm:
    return MatchForm(
        initial={"type": found.type, "key": found.key or "name", "format": found.format}, type_code=found.type
    )


def _context(found: Import, form: MatchForm) -> dict[str, Any]:
    is_tried = found.phase == Import.Phase.DONE and found.dry_run
    is_over = found.phase == Import.Phase.DONE and not found.dry_run
    errors = found.result.get("errors", [])
    return {
        "import": found,
        "form": form,
        "format": gettext(formats()[found.format].title) if found.format in formats() else "",
        "is_tried": is_tried,
        "is_over": is_over,
        "is_failed": found.phase == Import.Phase.FAILED,
        "errors": errors[:ERRORS_SHOWN],
        "error_count": len(errors),
        "to_write": found.result.get("create", 0) + found.result.get("update", 0),
        # What was new at or after the upload.
        "new_items": f'first_seen:>="{found.created_at:%Y-%m-%dT%H:%M:%SZ}"',
        "step": 4 if is_over else 3 if is_tried else 2,
    }


@require_GET
@page("inventory.import")
def keys(request: PageRequest, pk: int) -> HttpResponse:
    """The choices to match by, for the type just chosen."""
    found = import_of(request.actor, pk)
    form = MatchForm(initial={"key": found.key or "name"}, type_code=request.GET.get("type", ""))
    return render(request, "web/imports/keys.html", {"form": form})


@require_POST
@page("inventory.import")
def start(request: PageRequest, pk: int) -> HttpResponseBase:
    """Queue the trial, or the import itself."""
    found = import_of(request.actor, pk)
    form = MatchForm(request.POST, type_code=request.POST.get("type", ""))
    if form.is_valid():
        with errors_into(form):
            start_import(request.actor, pk, dry_run=request.POST.get("step") != "apply", **form.cleaned_data)
            return redirect("web:import_progress", pk)
    return render(request, "web/imports/import.html", _context(found, form), status=form_status(form))


@require_GET
@page("inventory.import")
def progress(request: PageRequest, pk: int) -> HttpResponseBase:
    """How far the task is; htmx asks again until it is over, and then goes to the result."""
    found = import_of(request.actor, pk)
    if found.phase in (Import.Phase.DONE, Import.Phase.FAILED):
        target = reverse("web:import", args=[pk])
        return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
    template = "web/imports/progress_bar.html" if request.htmx else "web/imports/progress.html"
    return render(request, template, {"import": found, "step": 4 if not found.dry_run else 3})


@require_GET
@page("inventory.import")
def errors_file(request: PageRequest, pk: int) -> HttpResponse:
    """All errors as CSV."""
    found = import_of(request.actor, pk)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["row", "field", "message"])
    for error in found.result.get("errors", []):
        writer.writerow([error["row"], _no_formula(error["field"]), _no_formula(error["message"])])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="import-{pk}-errors.csv"'
    return response


def _no_formula(text: str) -> str:
    """Quote what a spreadsheet would run. See https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
