"""What a panel shows: the answers of its queries, named and measured, as islands/panel.ts draws them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import OpsError
from quarterdeck.monitoring.dashboards.choosing import Values
from quarterdeck.monitoring.dashboards.definitions import Panel, Query, plain_panel
from quarterdeck.monitoring.dashboards.placing import time_values, with_values
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.promql.units import unit_of_expression
from quarterdeck.web.formatting import capital, visible
from quarterdeck.web.metrics.answers import (
    DRAWN_MAX,
    Line,
    full_name,
    grid_of,
    item_link,
    lines_of,
    short_names,
    statistics,
)
from quarterdeck.web.metrics.items import named_items
from quarterdeck.web.viewing import Range

_LABEL = re.compile(r"\{\{\s*([\w.:-]+)\s*\}\}")


def panel_figures(actor: Actor, panel: Panel, values: Values, span: Range) -> dict[str, Any]:
    """Ask every query of the panel; one that fails leaves the others. Raises Denied."""
    grid = grid_of(span)
    known = {**values, **time_values(span.seconds, grid.step)}
    series: list[dict[str, Any]] = []
    lines: list[Line] = []
    errors = []
    for index, query in enumerate(panel.queries):
        if query.hidden:
            continue
        expr = with_values(query.expr, known)
        try:
            unit = _unit(panel, expr)
            found = lines_of(actor, index, expr, grid, is_compared=False)
        except OpsError as error:
            errors.append({"query": index, "message": capital(error.message), "hint": capital(error.hint)})
            continue
        lines += found
        series += [_series(line, name, unit) for line, name in zip(found, _names(query, found, expr), strict=True)]
    items = named_items(actor, [line.labels for line in lines[:DRAWN_MAX]])
    for row, line in zip(series[:DRAWN_MAX], lines, strict=False):
        row["item"] = item_link(line.labels, items)
    return {
        "since": grid.since * 1000,
        "step": grid.step * 1000,
        "points": grid.points,
        "left_out": max(0, len(series) - DRAWN_MAX),
        "errors": errors,
        "series": series[:DRAWN_MAX],
        "panel": plain_panel(panel),
    }


def _unit(panel: Panel, expr: str) -> str:
    if panel.unit:
        return "" if panel.unit == "none" else panel.unit
    return unit_of_expression(parse(expr))


def _names(query: Query, lines: Sequence[Line], expr: str) -> list[str]:
    if not query.legend:
        return short_names([line.labels for line in lines], expr)
    return [legend_of(query.legend, line.labels) or full_name(line.labels) or expr for line in lines]


def legend_of(template: str, labels: Mapping[str, str]) -> str:
    """Return `{{host}} {{device}}` with the values of the labels; "" for one that the series has not."""
    return _LABEL.sub(lambda match: labels.get(match[1], ""), template).strip()


def _series(line: Line, name: str, unit: str) -> dict[str, Any]:
    known = [value for value in line.values if value is not None]
    return {
        "query": line.query,
        "name": visible(name),
        "full": visible(full_name(line.labels)) or visible(name),
        "labels": {name: visible(value) for name, value in line.labels.items() if name != "__name__"},
        "unit": unit,
        "item": None,
        "narrow": "",
        "values": line.values,
        "earlier": [],
        "sum": sum(known) if known else None,
        **statistics(line.values),
    }
