"""What a definition must be beyond its shapes: names and ids once, panels inside the grid, queries that parse."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.inventory.queries.items import condition
from quarterdeck.monitoring.dashboards.definitions import COLUMNS, RANGES, Definition, Panel, Variable
from quarterdeck.monitoring.dashboards.placing import sample_values, with_values
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import parse

DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


def check(definition: Definition) -> None:
    """Raise BadInput for the first thing that is wrong, with its place."""
    if definition.range not in RANGES:
        raise _bad("range", _("no range is called %(name)s") % {"name": definition.range}, ", ".join(RANGES[1:]))
    _check_once("variables", (variable.name for variable in definition.variables))
    _check_once("panels", (panel.id for panel in definition.panels))
    for index, variable in enumerate(definition.variables):
        _check_variable(f"variables[{index}]", variable)
    samples = sample_values(definition)
    for index, panel in enumerate(definition.panels):
        _check_panel(f"panels[{index}]", panel, samples)


def _bad(where: str, message: str, hint: str) -> BadInput:
    return BadInput(f"{where}: {message}", hint=hint, field=where)


def _check_once(where: str, names: Iterable[object]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise _bad(where, _('"%(name)s" stands there twice') % {"name": name}, _("give each its own"))


def _check_variable(where: str, variable: Variable) -> None:
    if variable.kind == "items":
        try:
            condition(variable.query)
        except BadQuery as error:
            raise _bad(f"{where}.query", error.message, error.hint) from error
    if variable.kind == "labels" and not variable.label:
        raise _bad(f"{where}.label", _("there is no label"), _("name the label whose values are the options"))
    if variable.kind == "interval":
        for option in variable.options:
            if not DURATION.fullmatch(option):
                raise _bad(f"{where}.options", _('"%(text)s" is no duration') % {"text": option}, "30s, 5m, 1h")
    if variable.regex:
        pattern_of(variable.regex, f"{where}.regex")


def pattern_of(text: str, where: str = "regex") -> re.Pattern[str]:
    """Return RE2's pattern, which takes linear time whatever it is. Raises BadInput."""
    import re2

    try:
        pattern: re.Pattern[str] = re2.compile(text)
    except re2.error as error:
        raise _bad(where, _("the regular expression cannot be read"), str(error)) from error
    return pattern


def _check_panel(where: str, panel: Panel, samples: dict[str, str]) -> None:
    if panel.x + panel.w > COLUMNS:
        raise _bad(
            f"{where}.w",
            _("the panel leaves the grid"),
            _("x and w are %(max)d together at the most") % {"max": COLUMNS},
        )
    if panel.kind in ("text", "row"):
        return
    for index, query in enumerate(panel.queries):
        error = wrong_query(query.expr, samples)
        if error is not None:
            hint = error.hint or _("try it on the page of metrics")
            raise _bad(f"{where}.queries[{index}].expr", error.message, hint)


def wrong_query(expr: str, samples: dict[str, str]) -> BadExpression | None:
    """Return why a query does not parse with these values in the place of its variables, None when it does."""
    try:
        parse(with_values(expr, samples))
    except BadExpression as error:
        return error
    return None
