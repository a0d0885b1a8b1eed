"""What was run on an item, newest first."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.inventory import queries
from quarterdeck.jobs.runs.queries import of_item
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first


@require_GET
@page("jobs.view")
def runs(request: PageRequest, pk: int) -> HttpResponse:
    item = queries.get_item(request.actor, pk)
    rows, cursor = newest_first(of_item(request.actor, item), request.GET.get("after", ""))
    context = head(request, item, "runs") | {"rows": rows, "next_cursor": cursor}
    return render(request, "web/items/runs.html", context)
