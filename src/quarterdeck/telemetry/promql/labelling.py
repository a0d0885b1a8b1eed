"""label_replace and label_join: see evalLabelReplace and evalLabelJoin in promql/functions.go."""

from __future__ import annotations

import re
from typing import Any

import re2

from quarterdeck.telemetry.promql.errors import ExecutionFailed
from quarterdeck.telemetry.promql.parsing import is_label_name, shown
from quarterdeck.telemetry.promql.plan import Evaluation, Parameters, Vector, unique
from quarterdeck.telemetry.promql.selecting import regex

# As Go's Regexp.Expand: $1, ${1}, $name, ${name}, and $$ for a dollar sign.
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def _checked(name: str, kind: str) -> str:
    if not is_label_name(name):
        raise ExecutionFailed(f"invalid {kind} label name in label function: {shown(name)}", field="query")
    return name


def replaced(arguments: list[Any], where: Evaluation) -> Vector:
    """Set a label from what a regular expression found in another one, where it matches the whole value."""
    vector: Vector = where.lower(arguments[0], where)
    target, template, source, pattern = (argument.val for argument in arguments[1:5])
    _checked(target, "destination")
    whole = regex(pattern)
    parameters = where.parameters
    # The first group is the whole match, so that every pattern has a group.
    groups = f"extractGroups(labels[{parameters.text(source)}], {parameters.text(f'^({whole[1:-1]})$')})"
    matches = f"match(labels[{parameters.text(source)}], {parameters.text(whole)})"
    value = _expanded(template, re2.compile(pattern).groupindex, parameters)
    found = f"SELECT labels, dropped, vs, {matches} AS is_match, {groups} AS groups FROM ({vector.sql})"
    dropped = "if(is_match, toUInt8(0), dropped)" if target == "__name__" else "dropped"
    labels = f"if(is_match, {_set(target, value, parameters)}, labels)"
    return unique(Vector(f"SELECT {labels} AS labels, {dropped} AS dropped, vs FROM ({found})"))


def _set(name: str, value: str, parameters: Parameters) -> str:
    """An expression of the labels with one set; an empty value takes it away."""
    return f"mapSort(mapFilter((k, v) -> v != '', mapUpdate(labels, map({parameters.text(name)}, {value}))))"


def _expanded(template: str, names: dict[str, int], parameters: Parameters) -> str:
    parts, at = ["''"], 0
    for match in _REFERENCE.finditer(template):
        parts.append(parameters.text(template[at : match.start()]))
        at = match.end()
        name = match[1] or match[2]
        if name is None:
            parts.append("'$'")
        else:
            # What names no group is empty.
            number = int(name) if name.isdecimal() else names.get(name, 10_000)
            parts.append(f"groups[{min(number, 10_000) + 1}]")
    parts.append(parameters.text(template[at:]))
    return f"concat({', '.join(parts)})"


def joined(arguments: list[Any], where: Evaluation) -> Vector:
    """Set a label to the values of others, with a separator between them."""
    vector: Vector = where.lower(arguments[0], where)
    target, separator, *sources = (argument.val for argument in arguments[1:])
    _checked(target, "destination")
    for source in sources:
        _checked(source, "source")
    parameters = where.parameters
    values = f"arrayMap(name -> labels[name], {parameters.texts(sources)})" if sources else "emptyArrayString()"
    value = f"arrayStringConcat({values}, {parameters.text(separator)})"
    dropped = "toUInt8(0)" if target == "__name__" else "dropped"
    labels = _set(target, value, parameters)
    return unique(Vector(f"SELECT {labels} AS labels, {dropped} AS dropped, vs FROM ({vector.sql})"))
