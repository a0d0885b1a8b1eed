"""What changed about the spans that a query finds."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.core.query import narrowed
from quarterdeck.tracing import queries
from quarterdeck.web.changed import group
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.common import shown, times_of
from quarterdeck.web.tracing.titles import field_title, value_title
from quarterdeck.web.viewing import selector_of


@require_GET
@page("telemetry.query")
def changed(request: PageRequest) -> HttpResponse:
    """The fields that differ most from the time before or, with `?against=rest`, from the rest of the same time."""
    query = request.GET.get("q", "")[:20_000]
    against: queries.Against = "rest" if request.GET.get("against") == "rest" else "before"
    titles = {"before": _("Against the time before"), "rest": _("Against the rest")}

    def read() -> dict[str, Any]:
        found = queries.changed(
            request.actor, query, *times_of(request), against=against, selector=selector_of(request)
        )  # fmt: skip
        groups = [group(one, field_title(one.field), value_title, address) for one in found.fields.fields]
        return {"found": found, "groups": groups}

    def address(condition: str) -> str:
        return f"{reverse('web:traces')}?{urlencode({'q': narrowed(query, condition)})}"

    context = {"query": query, "against": against, "ways": titles, "back": urlencode({"q": query} if query else {})}
    return shown(request, "web/tracing/changed.html", context, read)
