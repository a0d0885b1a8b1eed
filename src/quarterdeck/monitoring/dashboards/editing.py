"""Changes to a dashboard's panels; each is a version of the whole."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.monitoring.dashboards import queries
from quarterdeck.monitoring.dashboards.actions import save_dashboard
from quarterdeck.monitoring.dashboards.definitions import COLUMNS, Panel, plain, read
from quarterdeck.monitoring.dashboards.layout import Place, bottom, settled
from quarterdeck.monitoring.dashboards.models import Dashboard


def add_panel(actor: Actor, slug: str, panel: dict[str, Any], version: int | None = None) -> Dashboard:
    """Put a panel below the others, with an id of its own. Raises Denied, NotFound, BadInput, Stale."""
    values = _values(actor, slug)
    panels = values.setdefault("panels", [])
    number = max((one["id"] for one in panels), default=0) + 1
    panels.append({**panel, "id": number, "x": 0, "y": bottom(_places(values))})
    return save_dashboard(actor, slug, values, note=_("added %(panel)s") % {"panel": _name(panel)}, version=version)


def change_panel(
    actor: Actor, slug: str, number: int, changes: dict[str, Any], version: int | None = None
) -> Dashboard:
    """Change fields of a panel; what stands in its way moves down. Raises Denied, NotFound, BadInput, Stale."""
    values = _values(actor, slug)
    panel = _panel(values, number)
    panel.update(changes)
    if {"w", "h", "x", "y"} & changes.keys():
        _settle(values, number)
    return save_dashboard(actor, slug, values, note=_("changed %(panel)s") % {"panel": _name(panel)}, version=version)


def remove_panel(actor: Actor, slug: str, number: int, version: int | None = None) -> Dashboard:
    """Take a panel away; those below move up. Raises Denied, NotFound, Stale."""
    values = _values(actor, slug)
    panel = _panel(values, number)
    values["panels"].remove(panel)
    _settle(values, None)
    return save_dashboard(actor, slug, values, note=_("removed %(panel)s") % {"panel": _name(panel)}, version=version)


def move_panel(actor: Actor, slug: str, number: int, place: dict[str, int], version: int | None = None) -> Dashboard:
    """Put a panel at `{"x", "y", "w", "h"}` (any of them), within the grid. Raises as `change_panel` does."""
    values = _values(actor, slug)
    panel = _panel(values, number)
    now = {name: panel.get(name, getattr(Panel(id=1), name)) for name in ("x", "y", "w", "h")} | place
    width = max(1, min(COLUMNS, now["w"]))
    panel.update({
        "w": width,
        "h": max(1, min(100, now["h"])),
        "x": max(0, min(COLUMNS - width, now["x"])),
        "y": max(0, now["y"]),
    })  # fmt: skip
    _settle(values, number)
    return save_dashboard(actor, slug, values, note=_("moved %(panel)s") % {"panel": _name(panel)}, version=version)


def _values(actor: Actor, slug: str) -> dict[str, Any]:
    """A copy of the newest definition."""
    return plain(read(queries.dashboard(actor, slug).definition))


def _panel(values: dict[str, Any], number: int) -> dict[str, Any]:
    for panel in values.get("panels", []):
        if panel["id"] == number:
            found: dict[str, Any] = panel
            return found
    raise NotFound(_("There is no panel %(number)d.") % {"number": number}, hint=_("See the dashboard."))


def _places(values: dict[str, Any]) -> list[Place]:
    return [{"id": panel.id, "x": panel.x, "y": panel.y, "w": panel.w, "h": panel.h} for panel in read(values).panels]


def _settle(values: dict[str, Any], first: int | None) -> None:
    places = {place["id"]: place for place in settled(_places(values), first)}
    for panel in values.get("panels", []):
        panel.update(places[panel["id"]])
    values["panels"] = sorted(values.get("panels", []), key=lambda panel: (panel["y"], panel["x"]))


def _name(panel: dict[str, Any]) -> str:
    return panel.get("title") or _("a panel")
