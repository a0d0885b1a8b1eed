"""Grafana's panels, of its versions from 4 to today's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.monitoring.dashboards.grafana.units import unit_of
from quarterdeck.monitoring.dashboards.grafana.values import mapping, mappings, number, sequence, text, whole

Say = Callable[[str], None]
KINDS = {
    "timeseries": "timeseries", "graph": "timeseries", "stat": "stat", "singlestat": "stat", "gauge": "gauge",
    "bargauge": "bars", "barchart": "bars", "piechart": "bars", "grafana-piechart-panel": "bars", "table": "table",
    "table-old": "table", "heatmap": "heatmap", "text": "text", "row": "row",
}  # fmt: skip
_OTHERWISE = {"barchart", "piechart", "grafana-piechart-panel"}
_REDUCES = {
    "lastNotNull": "last", "last": "last", "current": "last", "mean": "mean", "avg": "mean", "min": "min", "max": "max",
    "sum": "sum", "total": "sum",
}  # fmt: skip
_LEVELS = ("ok", "warn", "bad")
_GOOD = ("green", "blue", "rgba(50, 172, 45", "#299c46", "#73bf69", "#37872d", "transparent", "text")
_BAD = ("red", "rgba(245, 54, 54", "#d44a3a", "#f2495c", "#c4162a")


def panel_of(found: dict[str, Any], say: Say) -> dict[str, Any] | None:
    """Return our panel without its place, None where its kind is not taken and `say` has told so."""
    type_ = text(found.get("type"))
    if type_ not in KINDS:
        say(_('panels of the kind "%(kind)s" are not taken') % {"kind": type_})
        return None
    if type_ in _OTHERWISE:
        say(_('the kind "%(kind)s" is drawn as bars') % {"kind": type_})
    kind = KINDS[type_]
    head = {"kind": kind, "title": text(found.get("title")), "description": text(found.get("description"), 20_000)}
    if kind == "row":
        return {"kind": "row", "title": head["title"], "collapsed": bool(found.get("collapsed"))}
    if kind == "text":
        return head | _text(found, say)
    _tell(found, say)
    if type_ == "singlestat" and mapping(found.get("gauge")).get("show") is True:
        head["kind"] = "gauge"
    return head | {"queries": _queries(found, say)} | _look(found, say)


def _text(found: dict[str, Any], say: Say) -> dict[str, Any]:
    options = mapping(found.get("options"))
    mode = text(options.get("mode") or found.get("mode"))
    if mode == "html":
        say(_("HTML is shown as text; write it as Markdown"))
    return {"text": text(options.get("content") or found.get("content"), 20_000)}


def _tell(found: dict[str, Any], say: Say) -> None:
    """Say what of a panel has no counterpart."""
    config = mapping(found.get("fieldConfig"))
    if mappings(config.get("overrides")) or mappings(found.get("seriesOverrides")):
        say(_("what is set for single series (overrides) is left out"))
    if mappings(found.get("transformations")):
        say(_("transformations are left out"))
    if mappings(mapping(config.get("defaults")).get("mappings")) or mappings(found.get("valueMaps")):
        say(_("words in place of values (value mappings) are left out"))
    if found.get("repeat"):
        say(_("the panel is not repeated: its variable's choices are drawn together"))
    if mapping(found.get("libraryPanel")) and not found.get("targets"):
        say(_("the library panel's content is not in the file"))


def _queries(found: dict[str, Any], say: Say) -> list[dict[str, Any]]:
    queries = []
    source = _source(found.get("datasource"))
    for target in mappings(found.get("targets"))[:26]:
        name = text(target.get("refId")) or "?"
        if other := _foreign(_source(target.get("datasource")) or source):
            say(_("query %(name)s asks %(source)s, not Prometheus") % {"name": name, "source": other})
        elif expr := text(target.get("expr"), 20_000).strip():
            legend = text(target.get("legendFormat"))
            queries.append({
                "expr": expr,
                "legend": "" if legend == "__auto" else legend,
                "hidden": target.get("hide") is True,
            })  # fmt: skip
        else:
            say(_("query %(name)s holds no PromQL") % {"name": name})
    return queries


def _source(found: Any) -> str:
    return text(mapping(found).get("type")) if isinstance(found, dict) else ""


def _foreign(source: str) -> str:
    """Return the kind of a source that is known not to be Prometheus', else ""."""
    is_ours = not source or "prometheus" in source or source in ("datasource", "mixed") or source.startswith("$")
    return "" if is_ours else source


def _look(found: dict[str, Any], say: Say) -> dict[str, Any]:
    defaults = mapping(mapping(found.get("fieldConfig")).get("defaults"))
    axis = (mappings(found.get("yaxes")) or [{}])[0]
    name = text(defaults.get("unit") or axis.get("format") or found.get("format"), 60)
    unit, is_known = unit_of(name)
    if not is_known:
        say(_('the unit "%(name)s" is shown as a word after the number') % {"name": name})
    decimals = defaults.get("decimals", found.get("decimals"))
    gauge = mapping(found.get("gauge"))
    return {
        "unit": unit,
        "decimals": None if number(decimals) is None else whole(decimals, 0, 0, 10),
        "minimum": _first(defaults.get("min"), axis.get("min"), gauge.get("minValue")),
        "maximum": _first(defaults.get("max"), axis.get("max"), gauge.get("maxValue")),
        "reduce": _reduce(found),
        "thresholds": _thresholds(found, defaults),
        "draw": _draw(found, mapping(defaults.get("custom"))),
    }


def _first(*values: Any) -> float | None:
    return next((found for found in map(number, values) if found is not None), None)


def _reduce(found: dict[str, Any]) -> str:
    calcs = sequence(mapping(mapping(found.get("options")).get("reduceOptions")).get("calcs"))
    name = calcs[0] if calcs else found.get("valueName")
    return _REDUCES.get(text(name), "last")


def _draw(found: dict[str, Any], custom: dict[str, Any]) -> str:
    stacking = text(mapping(custom.get("stacking")).get("mode"))
    if custom.get("drawStyle") == "bars" or (found.get("type") == "graph" and found.get("bars") is True):
        return "bar"
    if stacking in ("normal", "percent") or found.get("stack") is True:
        return "stacked"
    fill = number(custom.get("fillOpacity"))
    return (
        "area"
        if (fill or 0) >= 10 or (found.get("type") == "graph" and (number(found.get("fill")) or 0) > 0)
        else "line"
    )


def _thresholds(found: dict[str, Any], defaults: dict[str, Any]) -> list[dict[str, Any]]:
    steps = mappings(mapping(defaults.get("thresholds")).get("steps"))
    if steps:
        pairs = [(number(step.get("value")), text(step.get("color"))) for step in steps]
        return [{"value": value, "level": _level(colour)} for value, colour in pairs if value is not None][:20]
    written = found.get("thresholds")
    values = [number(part) for part in written.split(",")] if isinstance(written, str) and written else []
    colours = list(map(text, sequence(found.get("colors"))))
    return [
        {
            "value": value,
            "level": _level(colours[index + 1]) if len(colours) > index + 1 else _LEVELS[min(index + 1, 2)],
        }
        for index, value in enumerate(values)
        if value is not None
    ][:20]


def _level(colour: str) -> str:
    """Return what a colour means; one that is neither good nor bad is a warning."""
    name = colour.lower()
    if any(good in name for good in _GOOD):
        return "ok"
    return "bad" if any(bad in name for bad in _BAD) else "warn"
