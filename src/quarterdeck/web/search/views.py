"""Ctrl-K."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.search.providers import search


@require_GET
@page()
def palette(request: PageRequest) -> HttpResponse:
    """The hits for what was typed, as options of the palette's list box."""
    text = request.GET.get("text", "")
    return render(request, "web/search/hits.html", {"groups": search(request.actor, text), "text": text})
