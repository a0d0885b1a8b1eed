"""A dashboard as a page shows it: choices above, panels in rows that fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from quarterdeck.monitoring.dashboards.choosing import ALL, Choice
from quarterdeck.monitoring.dashboards.definitions import Definition, Panel
from quarterdeck.web.dashboards.markdown import html_of
from quarterdeck.web.viewing import RANGES, Range, range_of

REFRESHES_SECONDS = (0, 10, 30, 60, 300, 900)
_PREFIX = "var-"


@dataclass(slots=True)
class Section:
    """A heading with the panels below it; the first has no heading."""

    row: Panel | None
    panels: list[dict[str, Any]] = field(default_factory=list)


def asked_values(request: HttpRequest) -> dict[str, list[str]]:
    """Return `{"host": ["web1"]}` of `?var-host=web1`, as Grafana writes addresses."""
    return {
        name.removeprefix(_PREFIX): request.GET.getlist(name)[:1000] for name in request.GET if name.startswith(_PREFIX)
    }


def span_of(request: HttpRequest, definition: Definition) -> Range:
    """Return the range of the address, else the dashboard's, else the one that the person looks at."""
    if "range" not in request.GET and definition.range in RANGES:
        return RANGES[definition.range]
    return range_of(request)


def refresh_of(request: HttpRequest, definition: Definition) -> int:
    asked = request.GET.get("refresh", "")
    if asked.isdecimal() and int(asked[:6]) in REFRESHES_SECONDS:
        return int(asked)
    return definition.refresh_seconds


def parameters(choices: Sequence[Choice], span: Range, refresh_seconds: int | None = None) -> str:
    """Return the query string that shows the same to somebody else."""
    pairs: list[tuple[str, object]] = []
    for choice in choices:
        values = [ALL] if choice.is_all else choice.chosen
        pairs += [(f"{_PREFIX}{choice.variable.name}", value) for value in values]
    pairs.append(("range", span.code))
    if refresh_seconds is not None:
        pairs.append(("refresh", refresh_seconds))
    return urlencode(pairs)


def sections_of(definition: Definition) -> list[Section]:
    """Return the panels by the row that they stand under, each with its place below that row."""
    sections = [Section(None)]
    top = 0
    for panel in sorted(definition.panels, key=lambda panel: (panel.y, panel.x)):
        if panel.kind == "row":
            sections.append(Section(panel))
            top = panel.y + panel.h
            continue
        sections[-1].panels.append({
            "panel": panel,
            "column": panel.x + 1,
            "row": max(0, panel.y - top) + 1,
            "html": html_of(panel.text) if panel.kind == "text" else "",
        })  # fmt: skip
    return [section for section in sections if section.row or section.panels]
