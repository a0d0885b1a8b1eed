"""Pages of host keys: the list, what is about to be decided with its fingerprints, and the import."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.jobs.host_keys import actions, queries
from quarterdeck.jobs.host_keys.importing import import_known_hosts
from quarterdeck.jobs.host_keys.models import HostKey
from quarterdeck.jobs.host_keys.scope import DECIDE, SEE
from quarterdeck.web.forms import errors_into, form_status, next_of, posted
from quarterdeck.web.host_keys.forms import KnownHostsForm
from quarterdeck.web.items.listing import marked
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first
from quarterdeck.web.viewing import selector_of

USUAL_QUERY = "state:pending"
# Fields of a form are bounded; so many fingerprints are read by nobody at once anyway.
AT_ONCE = 500
_MAX_QUERY = 20_000
_DOING = {"approve": actions.approve, "refuse": actions.refuse, "forget": actions.forget}
Row = tuple[HostKey, list[HostKey]]


@require_GET
@page(SEE)
def host_keys(request: PageRequest) -> HttpResponse:
    """The keys of `?q=`, those that wait when nothing is asked for."""
    query = request.GET.get("q", USUAL_QUERY)[:_MAX_QUERY]
    context: dict[str, Any] = {
        "query": query,
        "filters": _filters(request.actor, query),
        "may_decide": may(request.actor, DECIDE),
    }
    try:
        found = queries.host_keys(request.actor, query, selector=selector_of(request))
        rows, context["next_cursor"] = newest_first(found, request.GET.get("after", ""))
    except BadQuery as error:
        context |= {"query_error": error, "marked": marked(query, error)}
        return render(request, "web/host_keys/list.html", context, status=error.status)
    context |= {"rows": _beside(rows), "is_empty": not rows and not queries.host_keys(request.actor).exists()}
    return render(request, "web/host_keys/list.html", context)


def _beside(rows: list[HostKey]) -> list[Row]:
    """Return each key with those that are approved at its place, while it is another one."""
    expected = queries.expected(rows)
    return [(row, expected.get(row.pk, [])) for row in rows]


def _filters(actor: Actor, query: str) -> list[dict[str, Any]]:
    counts = queries.counts(actor)
    titles = {
        USUAL_QUERY: (_("Waiting"), counts["pending"]),
        "is:changed": (_("Changed"), counts["changed"]),
        "state:approved": (_("Approved"), counts["approved"]),
        "state:refused": (_("Refused"), counts["refused"]),
        "": (_("All"), 0),
    }
    address = reverse("web:host_keys")
    return [
        {"title": title, "count": n, "url": f"{address}?{urlencode({'q': text})}", "current": text == query.strip()}
        for text, (title, n) in titles.items()
    ]


@require_POST
@page(DECIDE)
def decide(request: PageRequest) -> HttpResponseBase:
    """Show what is about to be decided; with `confirmed` do it. The action checks the right on each key."""
    operation = request.POST.get("operation", "")
    if operation not in _DOING:
        raise BadInput(_("There is no such operation."), hint=", ".join(_DOING))
    ids = _chosen(request)
    back = next_of(request, reverse("web:host_keys"))
    if request.POST.get("confirmed") == "1":
        messages.success(request, _done(operation, _DOING[operation](request.actor, ids)))
        return redirect(back)
    rows = list(queries.host_keys(request.actor, verb=DECIDE).filter(pk__in=ids).order_by("-is_change", "pk"))
    context = {
        "rows": _beside(rows),
        "operation": operation,
        "back": back,
        "changed": sum(row.is_alarm for row in rows),
    }
    return render(request, "web/host_keys/decide.html", context)


def _chosen(request: PageRequest) -> list[int]:
    """Return the ticked keys, or the first of the query when all of its keys are meant. Raises BadInput for none."""
    if request.POST.get("all") == "1":
        query = request.POST.get("q", "")[:_MAX_QUERY]
        found = queries.host_keys(request.actor, query, selector=selector_of(request), verb=DECIDE)
        ids = list(found.order_by("-pk").values_list("pk", flat=True)[:AT_ONCE])
    else:
        ids = [int(pk) for pk in request.POST.getlist("id") if pk.isdecimal() and len(pk) < 19]
    if not ids:
        raise BadInput(_("No host key is chosen."), hint=_("Tick the rows that you mean."))
    return ids


def _done(operation: str, count: int) -> str:
    texts = {
        "approve": ngettext("%(n)d host key is approved.", "%(n)d host keys are approved.", count),
        "refuse": ngettext("%(n)d host key is refused.", "%(n)d host keys are refused.", count),
        "forget": ngettext("%(n)d host key is forgotten.", "%(n)d host keys are forgotten.", count),
    }
    return texts[operation] % {"n": count}


@require_http_methods(["GET", "HEAD", "POST"])
@page(DECIDE)
def import_(request: PageRequest) -> HttpResponse:
    """Take a known_hosts file, and tell what of it was not taken."""
    form = KnownHostsForm(*posted(request))
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        with errors_into(form):
            done = import_known_hosts(request.actor, form.content())
            context |= {"done": done, "skipped": done.skipped[:AT_ONCE]}
    return render(request, "web/host_keys/import.html", context, status=form_status(form))
