"""A Grafana dashboard as a whole: its panels in the grid, its variables, its time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.dashboards.checking import check, wrong_query
from quarterdeck.monitoring.dashboards.definitions import COLUMNS, PANELS_MAX, RANGES, Definition, plain, read
from quarterdeck.monitoring.dashboards.grafana.panels import panel_of
from quarterdeck.monitoring.dashboards.grafana.values import mapping, mappings, sequence, text, whole
from quarterdeck.monitoring.dashboards.grafana.variables import variable_of
from quarterdeck.monitoring.dashboards.placing import sample_values

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_OLD_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Note:
    """What of `where` was not taken, or was taken as something else."""

    where: str
    what: str


@dataclass(slots=True)
class Imported:
    definition: dict[str, Any]
    notes: list[Note] = field(default_factory=list)


class _Reader:
    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.notes: list[Note] = []

    def about(self, where: str) -> Callable[[str], None]:
        return lambda what: self.notes.append(Note(where, what))

    def read(self) -> Imported:
        definition = {
            "title": text(self.found.get("title"), 120).strip() or _("Imported dashboard"),
            "description": text(self.found.get("description"), 20_000),
            "tags": list(filter(None, map(text, sequence(self.found.get("tags")))))[:50],
            "range": _range(text(mapping(self.found.get("time")).get("from"))),
            "refresh_seconds": min(86400, _seconds(text(self.found.get("refresh")))),
            "variables": list(self._variables()),
            "panels": self._panels(),
        }
        self._tell()
        whole_one = read(definition)
        kept = plain(self._parsing(whole_one))
        check(read(kept))
        return Imported(kept, self.notes)

    def _variables(self) -> Iterator[dict[str, Any]]:
        seen = set()
        for found in mappings(mapping(self.found.get("templating")).get("list"))[:50]:
            name = text(found.get("name"))
            variable = variable_of(found, self.about(f"${name}"))
            if variable and name not in seen:
                seen.add(name)
                yield variable

    def _panels(self) -> list[dict[str, Any]]:
        placed = list(_placed(self.found))
        if len(placed) > PANELS_MAX:
            self.about(_("panels"))(_("only the first %(max)d are taken") % {"max": PANELS_MAX})
        panels = []
        for number, (found, place) in enumerate(placed[:PANELS_MAX], 1):
            title = text(found.get("title")) or _("panel %(number)d") % {"number": number}
            panel = panel_of(found, self.about(title))
            if panel is not None:
                panels.append({"id": number, **place, **panel})
        return panels

    def _tell(self) -> None:
        annotations = mappings(mapping(self.found.get("annotations")).get("list"))
        if any(not one.get("builtIn") for one in annotations):
            self.about(_("annotations"))(_("they are left out"))
        if mappings(self.found.get("links")):
            self.about(_("links"))(_("they are left out"))

    def _parsing(self, definition: Definition) -> Definition:
        """Leave out the queries that do not parse: one of them is not to keep the others from being seen."""
        values = plain(definition)
        samples = sample_values(definition)
        for panel in values.get("panels", []):
            kept = []
            for query in panel.get("queries", []):
                wrong = wrong_query(query["expr"], samples)
                if wrong is None:
                    kept.append(query)
                else:
                    self.about(panel.get("title") or str(panel["id"]))(f"{query['expr'][:120]}: {wrong.message}")
            if "queries" in panel:
                panel["queries"] = kept
        return read(values)


def is_grafana(values: Any) -> bool:
    """Whether a JSON document is a dashboard of Grafana's, also as its API wraps it."""
    found = _unwrapped(values)
    grid = [panel for panel in mappings(found.get("panels")) if "gridPos" in panel or "type" in panel]
    return "schemaVersion" in found or "rows" in found or bool(grid)


def read_grafana(values: Any) -> Imported:
    """Return the dashboard as our definition. Raises BadInput for what is none of Grafana's."""
    if not is_grafana(values):
        raise BadInput(
            _("this is no dashboard of Grafana's"), hint=_("export it there as JSON: Share, Export"), field="grafana"
        )
    return _Reader(_unwrapped(values)).read()


def _unwrapped(values: Any) -> dict[str, Any]:
    found = mapping(values)
    return mapping(found["dashboard"]) if isinstance(found.get("dashboard"), dict) else found


def _placed(found: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """Yield the panels with their places, from top to bottom; those of a collapsed row after it."""
    if mappings(found.get("rows")):
        yield from _of_rows(mappings(found["rows"]))
        return
    for panel in sorted(mappings(found.get("panels")), key=_top):
        yield panel, _place(panel)
        for inner in sorted(mappings(panel.get("panels")), key=_top):
            yield inner, _place(inner)


def _top(panel: dict[str, Any]) -> tuple[int, int]:
    place = _place(panel)
    return place["y"], place["x"]


def _place(panel: dict[str, Any]) -> dict[str, int]:
    grid = mapping(panel.get("gridPos"))
    x = whole(grid.get("x"), 0, 0, COLUMNS - 1)
    place = {"x": x, "y": whole(grid.get("y"), 0, 0, 100_000), "w": whole(grid.get("w"), 12, 1, COLUMNS - x)}
    return place | {"h": whole(grid.get("h"), 8, 1, 100)}


def _of_rows(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """The rows of Grafana before version 5: panels beside each other, `span` of 12 wide, `height` in pixels."""
    y = 0
    for row in rows:
        head = {"type": "row", "title": row.get("title"), "collapsed": row.get("collapse")}
        yield head, {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        y += 1
        height = max(3, whole(re.sub(r"px$", "", text(row.get("height"))), 250, 1, 3600) // 36)
        x = 0
        for panel in mappings(row.get("panels")):
            width = whole(panel.get("span"), _OLD_COLUMNS, 1, _OLD_COLUMNS) * COLUMNS // _OLD_COLUMNS
            if x + width > COLUMNS:
                x, y = 0, y + height
            yield panel, {"x": x, "y": y, "w": width, "h": height}
            x += width
        y += height


def _seconds(written: str) -> int:
    found = re.fullmatch(r"(\d{1,6})([smhdw])", written)
    return int(found[1]) * _SECONDS[found[2]] if found else 0


def _range(since: str) -> str:
    """Return the shortest range that holds `now-24h`."""
    seconds = _seconds(since.removeprefix("now-"))
    return next((code for code in RANGES[1:] if seconds and _seconds(code) >= seconds), RANGES[-1] if seconds else "")
