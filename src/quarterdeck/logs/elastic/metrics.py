"""Numbers of a bucket's lines: each is made by aggregates of the engine over one value of a line.

See https://www.elastic.co/docs/reference/aggregations/metrics
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic.bodies import Body, a_list, a_number, a_text, a_truth, an_object, expected, missing
from quarterdeck.logs.elastic.dates import checked_format, written
from quarterdeck.logs.elastic.names import Field
from quarterdeck.logs.elastic.terms import Terms
from quarterdeck.telemetry.conditions import Names, Sql

_PERCENTS = (1, 5, 25, 50, 75, 95, 99)
_PERCENTS_MAX = 50
_STATS = ("count({v})", "minOrNull({v})", "maxOrNull({v})", "avgOrNull({v})", "ifNull(sum({v}), 0)")
_EMPTY_STATS = (0, None, None, None, 0.0)
_MORE = ("ifNull(sum({v} * {v}), 0)", "varPopOrNull({v})", "varSampOrNull({v})")

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` is SQL of a line's value; `columns` are aggregates of it, written `{v}`, which are `empty` without lines.

    `orders` names what terms can be ordered by: SQL over the columns, written `{c0}`, `{c1}` ...
    """

    value: Sql
    columns: tuple[str, ...]
    empty: tuple[Any, ...]
    render: Callable[[Values], dict[str, Any]]
    orders: Mapping[str, str] = field(default_factory=lambda: {"": "{c0}", "value": "{c0}"})


def metric_of(kind: str, body: object, terms: Terms, names: Names) -> Metric:
    """Return the metric of an aggregation. Raises BadQuery."""
    make, more = METRICS[kind]
    asked = an_object(body, kind, ("field", "missing", "format", *more))
    if "field" not in asked:
        raise missing(kind, "field")
    found = terms.field(asked["field"])
    value = _present(found) if kind in ("cardinality", "value_count") else _number(found, kind, asked, names)
    form = a_text(asked.get("format") or "", "format")
    return make(value, asked, _Writer(found, form if found.kind != "date" or not form or checked_format(form) else ""))


def _number(found: Field, kind: str, asked: Body, names: Names) -> Sql:
    if found.kind not in ("date", "attribute"):
        raise BadQuery(
            _("Field [%(name)s] of type [%(kind)s] is not supported for aggregation [%(aggregation)s]")
            % {"name": found.name, "kind": "text" if found.kind == "text" else "keyword", "aggregation": kind}
        )
    if asked.get("missing") is None:
        return found.number
    usual = names.sql("{}", ("Float64", a_number(asked["missing"], "missing")))
    text = f"ifNull({found.number.text}, {usual.text})"
    return Sql(text, {**found.number.parameters, **usual.parameters})


def _present(found: Field) -> Sql:
    value = "toString(logs.ts)" if found.kind == "date" else f"toString({found.value.text})"
    parameters = {**found.value.parameters, **found.exists.parameters}
    return Sql(f"if({found.exists.text}, toNullable({value}), NULL)", parameters)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes numbers; those of a time also as a date."""

    field: Field
    form: str

    def named(self, name: str, value: float | None) -> dict[str, Any]:
        found: dict[str, Any] = {name: finite(value)}
        if self.field.kind == "date" and value is not None:
            found[f"{name}_as_string"] = written(value, self.form)
        return found

    def value(self, value: float | None) -> dict[str, Any]:
        return self.named("value", value)


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _one(template: str, empty: float | None) -> Callable[[Sql, Body, _Writer], Metric]:
    def make(value: Sql, _asked: Body, writer: _Writer) -> Metric:
        return Metric(value, (template,), (empty,), lambda found: writer.value(found[0]))

    return make


def _whole(template: str) -> Callable[[Sql, Body, _Writer], Metric]:
    def make(value: Sql, _asked: Body, _writer: _Writer) -> Metric:
        return Metric(value, (template,), (0,), lambda found: {"value": int(found[0])})

    return make


def _basic(found: Values, writer: _Writer) -> dict[str, Any]:
    made: dict[str, Any] = {"count": int(found[0])}
    for name, value in zip(("min", "max", "avg", "sum"), found[1:5], strict=True):
        made.update(writer.named(name, value))
    return made


def _stats(value: Sql, _asked: Body, writer: _Writer) -> Metric:
    orders = {name: f"{{c{at}}}" for at, name in enumerate(("count", "min", "max", "avg", "sum"))}
    return Metric(value, _STATS, _EMPTY_STATS, lambda found: _basic(found, writer), orders)


def _extended(value: Sql, asked: Body, writer: _Writer) -> Metric:
    sigma = a_number(asked.get("sigma") or 2, "sigma")

    def render(found: Values) -> dict[str, Any]:
        population, sampling = finite(found[6]), finite(found[7])
        deviations = [None if one is None else math.sqrt(max(0.0, one)) for one in (population, sampling)]
        bounds = {}
        for end, spread in (("", deviations[0]), ("_population", deviations[0]), ("_sampling", deviations[1])):
            for name, sign in (("upper", 1), ("lower", -1)):
                unknown = spread is None or found[3] is None
                bounds[name + end] = None if unknown else found[3] + sign * sigma * (spread or 0.0)
        return {
            **_basic(found, writer),
            "sum_of_squares": finite(found[5]),
            "variance": population,
            "variance_population": population,
            "variance_sampling": sampling,
            "std_deviation": deviations[0],
            "std_deviation_population": deviations[0],
            "std_deviation_sampling": deviations[1],
            "std_deviation_bounds": bounds,
        }

    orders = {
        **{name: f"{{c{at}}}" for at, name in enumerate(("count", "min", "max", "avg", "sum", "sum_of_squares"))},
        **dict.fromkeys(("variance", "variance_population", "std_deviation", "std_deviation_population"), "{c6}"),
        **dict.fromkeys(("variance_sampling", "std_deviation_sampling"), "{c7}"),
    }
    return Metric(value, (*_STATS, *_MORE), (*_EMPTY_STATS, 0.0, None, None), render, orders)


def _percentiles(value: Sql, asked: Body, writer: _Writer) -> Metric:
    """Of up to 8,192 values exact, between two of them in proportion; of more they are those of a sample."""
    given = a_list(asked["percents"], "percents") if asked.get("percents") else list(_PERCENTS)
    percents = [a_number(one, "percents") for one in given]
    if len(percents) > _PERCENTS_MAX or not all(0 <= one <= 100 for one in percents):
        raise expected("percents", _("up to %(limit)d numbers from 0 to 100") % {"limit": _PERCENTS_MAX}, given)
    levels = ", ".join(repr(one / 100) for one in percents)
    keyed = a_truth(asked.get("keyed", True), "keyed")

    def render(found: Values) -> dict[str, Any]:
        values = [finite(one) for one in found[0]] if found[0] else [None] * len(percents)
        if not keyed:
            rows = zip(percents, values, strict=True)
            return {"values": [{"key": one, **writer.value(value)} for one, value in rows]}
        made: dict[str, Any] = {}
        for one, number in zip(percents, values, strict=True):
            made.update(writer.named(str(one), number))
        return {"values": made}

    names = {str(one): f"{{c0}}[{at}]" for at, one in enumerate(percents, 1)}
    whole = {name.removesuffix(".0"): sql for name, sql in names.items()}
    return Metric(value, (f"quantiles({levels})({{v}})",), ([],), render, {**names, **whole})


Make = Callable[[Sql, Body, _Writer], Metric]
# name: (what makes it, the options it has beside its field)
METRICS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "avg": (_one("avgOrNull({v})", None), ()),
    "sum": (_one("ifNull(sum({v}), 0)", 0.0), ()),
    "min": (_one("minOrNull({v})", None), ()),
    "max": (_one("maxOrNull({v})", None), ()),
    "value_count": (_whole("count({v})"), ()),
    "cardinality": (_whole("uniq({v})"), ("precision_threshold", "rehash", "execution_hint")),
    "stats": (_stats, ()),
    "extended_stats": (_extended, ("sigma",)),
    "percentiles": (_percentiles, ("percents", "keyed", "tdigest", "hdr")),
}
