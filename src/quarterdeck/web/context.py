"""What every template finds: the shell's navigation, theme, language, selector and time range."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from quarterdeck import __version__
from quarterdeck.access.actors import actor_of
from quarterdeck.audit.actor import ActorKind
from quarterdeck.web.navigation import entries_for, is_current
from quarterdeck.web.viewing import RANGES, range_of, selector_of

THEMES = ("light", "dark", "auto")


def _groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return `[{"title": "Fleet", "entries": [{"entry": NavEntry, "current": True}]}]`."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in entries_for(actor_of(request)):
        groups.setdefault(str(entry.group), []).append({"entry": entry, "current": is_current(entry, request)})
    return [{"title": title, "entries": entries} for title, entries in groups.items()]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Values of base.html. Nobody signed in: only theme and language."""
    theme = request.COOKIES.get("qd_theme", "auto")
    values: dict[str, Any] = {"theme": theme if theme in THEMES else "auto", "version": __version__}
    if not hasattr(request, "user") or actor_of(request).kind == ActorKind.ANONYMOUS:
        return values
    return values | {
        "navigation": _groups(request),
        "ranges": RANGES.values(),
        "range": range_of(request),
        "selector": selector_of(request),
    }
