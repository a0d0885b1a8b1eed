"""What the pages of traces and services share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery, TooMany, Unavailable
from quarterdeck.web.items.listing import marked
from quarterdeck.web.items.telemetry import intake_url
from quarterdeck.web.pages import PageRequest
from quarterdeck.web.viewing import range_of, selector_of


def times_of(request: PageRequest) -> tuple[datetime, datetime]:
    """Return the page's time range."""
    return range_of(request).since, now()


def shown(
    request: PageRequest, template: str, context: dict[str, Any], read: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """Return the page with what `read` gives, or with why there is nothing: a wrong query, an engine that is away."""
    context |= {"range": range_of(request), "intake_url": intake_url(request.actor), "selector": selector_of(request)}
    try:
        return render(request, template, context | read())
    except BadQuery as error:
        query = str(context.get("query", ""))
        found = {"query_error": error, "marked": marked(query, error)}
        return render(request, template, context | found, status=error.status)
    except (Unavailable, TooMany) as error:
        return render(request, template, context | {"unavailable": error}, status=error.status)


def item_url(item: int | None) -> str:
    return reverse("web:item", args=[item]) if item else ""
