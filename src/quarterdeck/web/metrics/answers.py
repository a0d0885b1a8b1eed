"""The series of the explorer's queries, as its island draws them and its CSV has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery, OpsError
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring import prometheus
from quarterdeck.telemetry.promql.answering import Series
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.narrowing import narrowed
from quarterdeck.telemetry.promql.parsing import parse, shown
from quarterdeck.telemetry.promql.positions import located
from quarterdeck.telemetry.promql.units import unit_of_expression
from quarterdeck.telemetry.turns import turns
from quarterdeck.web.formatting import capital, visible
from quarterdeck.web.items.figures import POINTS, step_seconds
from quarterdeck.web.items.listing import marked
from quarterdeck.web.marks import marks_between
from quarterdeck.web.metrics.items import item_of, named_items
from quarterdeck.web.metrics.states import State
from quarterdeck.web.viewing import Range

WEEK_SECONDS = 7 * 86400
# More lines than this cannot be told apart; a file takes more.
DRAWN_MAX = 100
EXPORTED_MAX = 1000

Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """Times of points: `since + i * step`, Unix time in seconds, `until` included."""

    since: int
    until: int
    step: int

    @property
    def points(self) -> int:
        return (self.until - self.since) // self.step + 1


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `values[i]` belongs to the grid's time i, and so does `earlier[i]`, which is a week older."""

    query: int
    labels: dict[str, str]
    values: Values
    earlier: Values


@dataclass(frozen=True, slots=True)
class Found:
    """`units` and `errors` are by the number of the query; `left_out` is how many series there are beyond `lines`."""

    grid: Grid
    lines: list[Line]
    units: dict[int, str]
    errors: dict[int, OpsError]
    left_out: int


def grid_of(span: Range) -> Grid:
    """The range with the step that suits it, on whole steps: the same moment is the same point at every reload."""
    step = step_seconds(span.seconds)
    until = int(now().timestamp()) // step * step
    return Grid(until - span.seconds // step * step, until, step)


def grid_between(since_ms: int, until_ms: int) -> Grid:
    """The window with a step that suits it, of whole seconds."""
    since, until = since_ms // 1000, -(-until_ms // 1000)
    step = max(1, -(-(until - since) // POINTS))
    return Grid(since, since + (until - since) // step * step, step)


def found(actor: Actor, state: State, grid: Grid, lines_max: int = DRAWN_MAX) -> Found:
    """Ask every query; one that fails leaves the others. Raises Denied."""
    answer = Found(grid, [], {}, {}, 0)
    lines: list[Line] = []
    for index, query in enumerate(state.queries):
        try:
            answer.units[index] = unit_of_expression(parse(query))
            lines += lines_of(actor, index, query, grid, is_compared=state.is_compared)
        except BadExpression as error:
            answer.errors[index] = located(query, error)
        except OpsError as error:
            answer.errors[index] = error
    return Found(grid, lines[:lines_max], answer.units, answer.errors, max(0, len(lines) - lines_max))


def lines_of(actor: Actor, index: int, query: str, grid: Grid, *, is_compared: bool) -> list[Line]:
    """Ask one query. Raises Denied, BadExpression, TooMany, Unavailable."""
    series = _asked(actor, query, grid, 0)
    before = _asked(actor, query, grid, WEEK_SECONDS) if is_compared else []
    earlier = {frozenset(one.labels.items()): one for one in before}
    return [
        Line(index, one.labels, _values(one, grid, 0), _earlier(earlier.get(frozenset(one.labels.items())), grid))
        for one in series
    ]


def _asked(actor: Actor, query: str, grid: Grid, ago_seconds: int) -> list[Series]:
    start_ms, end_ms = ((at - ago_seconds) * 1000 for at in (grid.since, grid.until))
    ask = prometheus.over_range(actor, query, start_ms, end_ms, grid.step * 1000)
    with turns.place(ask.caller):
        answer: list[Series] = ask.answer().series
    return answer


def _earlier(series: Series | None, grid: Grid) -> Values:
    return _values(series, grid, WEEK_SECONDS) if series else []


def _values(series: Series, grid: Grid, ago_seconds: int) -> Values:
    values: Values = [None] * grid.points
    for at, value in series.samples():
        if math.isfinite(value):
            values[round((at + ago_seconds - grid.since) / grid.step)] = value
    return values


def full_name(labels: Mapping[str, str]) -> str:
    """Return the labels as PromQL writes them: `up{job="a"}`."""
    rest = ", ".join(f"{name}={shown(value)}" for name, value in labels.items() if name != "__name__")
    return labels.get("__name__", "") + (f"{{{rest}}}" if rest else "")


def short_names(label_sets: Sequence[Mapping[str, str]], query: str) -> list[str]:
    """Name series by the labels in which they differ; what differs in nothing has the query's name."""
    names = {name for labels in label_sets for name in labels}
    differing = {name for name in names if len({labels.get(name, "") for labels in label_sets}) > 1}
    return [_short(labels, differing) or query for labels in label_sets]


def _short(labels: Mapping[str, str], differing: set[str]) -> str:
    shown_labels = {name: value for name, value in labels.items() if name in differing}
    metric = shown_labels.pop("__name__", "")
    return " ".join(filter(None, [metric, ", ".join(f"{name}={value}" for name, value in shown_labels.items())]))


def as_json(actor: Actor, state: State, answer: Found) -> dict[str, Any]:
    """Return what islands/explorer.ts reads."""
    items = named_items(actor, [line.labels for line in answer.lines])
    names: dict[int, list[str]] = {}
    for index, query in enumerate(state.queries):
        names[index] = short_names([line.labels for line in answer.lines if line.query == index], query)
    return {
        "since": answer.grid.since * 1000,
        "step": answer.grid.step * 1000,
        "points": answer.grid.points,
        "left_out": answer.left_out,
        "marks": _marks(actor, answer, items) if state.is_marked else [],
        "errors": [_error(index, state.queries[index], error) for index, error in answer.errors.items()],
        "series": [
            {
                "query": line.query,
                "name": visible(names[line.query].pop(0)),
                "full": visible(full_name(line.labels)) or state.queries[line.query],
                "unit": answer.units[line.query],
                "labels": {name: visible(value) for name, value in line.labels.items()},
                "item": item_link(line.labels, items),
                "narrow": _narrow(state, line),
                "values": line.values,
                "earlier": line.earlier,
                **statistics(line.values),
            }
            for line in answer.lines
        ],
    }


def _marks(actor: Actor, answer: Found, items: Mapping[str, Item]) -> list[list[Any]]:
    """What happened to the items that the lines name; where they name none, to all."""
    named = {item.pk: item for line in answer.lines if (item := item_of(line.labels, items))}
    grid = answer.grid
    since, until = (datetime.fromtimestamp(at, UTC) for at in (grid.since, grid.until + grid.step))
    return marks_between(actor, list(named.values()), since, until)


def _narrow(state: State, line: Line) -> str:
    text = narrowed(state.queries[line.query], line.labels)
    return state.with_query(line.query, text) if text else ""


def item_link(labels: Mapping[str, str], items: Mapping[str, Any]) -> dict[str, str] | None:
    """Return `{"name", "url"}` of the item that the labels name."""
    item = item_of(labels, items)
    return {"name": item.name, "url": reverse("web:item", args=[item.pk])} if item else None


def _error(index: int, query: str, error: OpsError) -> dict[str, Any]:
    """`marked` is the query around the place that is wrong, None where no place is known."""
    place = marked(query, error) if isinstance(error, BadQuery) else None
    return {"query": index, "message": capital(error.message), "hint": capital(error.hint), "marked": place}


_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda values: values[-1],
    "min": min,
    "max": max,
    "avg": lambda values: sum(values) / len(values),
}


def statistics(values: Values) -> dict[str, float | None]:
    """Return `{"last", "min", "max", "avg"}` of the values that there are."""
    known = [value for value in values if value is not None]
    return {name: work(known) if known else None for name, work in _STATISTICS.items()}
