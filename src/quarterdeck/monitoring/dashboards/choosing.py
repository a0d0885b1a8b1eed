"""What may be chosen of a dashboard's variables, and what is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries as inventory
from quarterdeck.monitoring import prometheus
from quarterdeck.monitoring.dashboards.checking import pattern_of
from quarterdeck.monitoring.dashboards.definitions import Definition, Variable
from quarterdeck.monitoring.dashboards.placing import with_values
from quarterdeck.telemetry.turns import turns

ALL = "$__all"
OPTIONS_MAX = 1000
Values = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable with its `options`, those `chosen`, and whether that means all of them."""

    variable: Variable
    options: list[str]
    chosen: list[str]
    is_all: bool

    @property
    def value(self) -> str | list[str]:
        """What goes into queries: text where one is chosen, a list where several may be."""
        if self.is_all:
            return self.variable.all_value or self.options or ""
        if self.variable.multi:
            return self.chosen or ""
        return self.chosen[0] if self.chosen else ""


def choices(actor: Actor, definition: Definition, asked: Mapping[str, Sequence[str]]) -> list[Choice]:
    """Return a choice for each variable; those further down may use the values of those before.

    `asked` is `{"host": ["web1"]}`; what is no option is not chosen. Raises Denied, BadQuery, BadExpression,
    Unavailable.
    """
    found: list[Choice] = []
    for variable in definition.variables:
        options = _options(actor, variable, values_of(found))
        found.append(_chosen(variable, options, list(asked.get(variable.name, ()))))
    return found


def values_of(found: Sequence[Choice]) -> Values:
    return {choice.variable.name: choice.value for choice in found}


def _options(actor: Actor, variable: Variable, values: Values) -> list[str]:
    if variable.kind == "items":
        chosen = inventory.items(actor, with_values(variable.query, values))
        names = visible(actor, "telemetry.query", chosen).order_by("name").values_list("name", flat=True)
        options = list(dict.fromkeys(names[:OPTIONS_MAX]))
    elif variable.kind == "labels":
        selectors = [with_values(variable.query, values)] if variable.query else []
        ask = prometheus.label_values(actor, variable.label, selectors, limit=OPTIONS_MAX)
        with turns.place(ask.caller):
            options = ask.answer()
    else:
        options = list(variable.options)
    return _matching(options, variable.regex)


def _matching(options: list[str], regex: str) -> list[str]:
    if not regex:
        return options
    pattern = pattern_of(regex)
    matches = [match for match in map(pattern.search, options) if match]
    return list(dict.fromkeys(match[1] if pattern.groups and match[1] else match[0] for match in matches))


def _chosen(variable: Variable, options: list[str], asked: list[str]) -> Choice:
    if variable.kind == "text":
        return Choice(variable, [], [(asked or variable.default or [""])[0][:255]], is_all=False)
    if variable.all and ALL in asked:
        return Choice(variable, options, [], is_all=True)
    known = set(options)
    chosen = [value for value in asked if value in known] or [value for value in variable.default if value in known]
    if not chosen and variable.all:
        return Choice(variable, options, [], is_all=True)
    chosen = chosen or options[:1]
    return Choice(variable, options, chosen if variable.multi else chosen[:1], is_all=False)
