"""What a dashboard is made of, as its YAML file says it: the shapes, read strictly."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from django.utils.translation import gettext as _
from msgspec import Meta, Struct

from quarterdeck.core.errors import BadInput

COLUMNS = 24
PANELS_MAX = 300
Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,59}$")]
Line = Annotated[str, Meta(max_length=255)]
Text = Annotated[str, Meta(max_length=20_000)]
Expression = Annotated[str, Meta(max_length=20_000)]
Seconds = Annotated[int, Meta(ge=0, le=86400)]
Kind = Literal["timeseries", "stat", "gauge", "bars", "table", "heatmap", "text", "row"]
Draw = Literal["line", "area", "stacked", "bar"]
Reduce = Literal["last", "mean", "min", "max", "sum"]
Level = Literal["ok", "warn", "bad"]
VariableKind = Literal["items", "labels", "custom", "interval", "text"]
RANGES = ("", "15m", "1h", "6h", "24h", "7d", "15d")


class Shape(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A name that is not known is an error: a typing mistake is never "left out"."""


class Query(Shape):
    """PromQL with variables as $name. `legend` names a series from its labels: "{{host}} {{device}}"."""

    expr: Expression
    legend: Line = ""
    hidden: bool = False


class Threshold(Shape):
    """From `value` on, in the panel's unit, the state is `level`."""

    value: float
    level: Level


class Panel(Shape):
    """A box of the grid: `x` and `w` in columns of 24, `y` and `h` in rows of 36 pixels.

    `unit` is one of `units.UNITS` or a word that follows the number, "" for the one that the queries' metrics tell.
    A row is a heading; what stands below it, to the next row, is hidden where it is `collapsed`.
    """

    id: Annotated[int, Meta(ge=1, le=1_000_000)]
    kind: Kind = "timeseries"
    title: Line = ""
    description: Text = ""
    x: Annotated[int, Meta(ge=0, lt=COLUMNS)] = 0
    y: Annotated[int, Meta(ge=0, le=100_000)] = 0
    w: Annotated[int, Meta(ge=1, le=COLUMNS)] = 12
    h: Annotated[int, Meta(ge=1, le=100)] = 8
    queries: Annotated[list[Query], Meta(max_length=26)] = []
    draw: Draw = "line"
    unit: Annotated[str, Meta(max_length=24)] = ""
    decimals: Annotated[int, Meta(ge=0, le=10)] | None = None
    minimum: float | None = None
    maximum: float | None = None
    reduce: Reduce = "last"
    thresholds: Annotated[list[Threshold], Meta(max_length=20)] = []
    text: Text = ""
    collapsed: bool = False


class Variable(Shape):
    """A choice above the panels, put into queries as $name.

    items      names of the items that `query` of the inventory selects
    labels     values of `label` of the series that `query`, a PromQL selector, selects ("" for all series)
    custom     `options`
    interval   `options`, durations such as 5m
    text       what a person writes
    `regex` keeps of each option what it matches, of its first group if it has one. `all_value` stands for "all" in a
    query; without it, the options themselves do.
    """

    name: Name
    kind: VariableKind = "custom"
    title: Line = ""
    query: Text = ""
    label: Line = ""
    regex: Line = ""
    options: Annotated[list[Line], Meta(max_length=1000)] = []
    default: Annotated[list[Line], Meta(max_length=1000)] = []
    multi: bool = False
    all: bool = False
    all_value: Line = ""
    hidden: bool = False


class Definition(Shape):
    """A dashboard. `range` is one of RANGES, "" for the one that the person looks at; `refresh_seconds` 0 is never."""

    title: Annotated[str, Meta(min_length=1, max_length=120)]
    description: Text = ""
    tags: Annotated[list[Line], Meta(max_length=50)] = []
    range: str = ""
    refresh_seconds: Seconds = 0
    variables: Annotated[list[Variable], Meta(max_length=50)] = []
    panels: Annotated[list[Panel], Meta(max_length=PANELS_MAX)] = []


def read(values: Any) -> Definition:
    """Return the definition that `values` (of JSON or YAML) are. Raises BadInput that names the place."""
    try:
        return msgspec.convert(values, Definition)
    except msgspec.ValidationError as error:
        message, _separator, place = str(error).partition(" - at ")
        where = place.strip("`").removeprefix("$.") or "definition"
        raise BadInput(
            _("%(where)s: %(message)s") % {"where": where, "message": message},
            hint=_("docs/guides/dashboards.md lists the fields and what they may hold"),
            field=where,
        ) from error


def plain(definition: Definition) -> dict[str, Any]:
    """Return the definition as JSON and YAML have it, without what is usual."""
    found: dict[str, Any] = msgspec.to_builtins(definition)
    return found


def plain_panel(panel: Panel) -> dict[str, Any]:
    """Return what draws a panel, with what is usual: its kind, how it is drawn, its scale and thresholds."""
    names = ("kind", "draw", "decimals", "minimum", "maximum", "reduce")
    thresholds = [{"value": one.value, "level": one.level} for one in panel.thresholds]
    return {name: getattr(panel, name) for name in names} | {"thresholds": thresholds}
