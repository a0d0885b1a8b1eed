"""Answers in their places. What a shell or an interpreter reads is never changed by one.

A command or script gets answers as variables of its environment, of the question's name:

    systemctl restart -- "$service"

A playbook gets them as its variables, in which Ansible looks for no template.

Elsewhere `{{ service }}` is replaced: by the value itself (a number, a list ...) where it stands alone, by its text
inside a longer one. In a query it is a quoted value, in which nothing is special.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.runners import Runner
from quarterdeck.jobs.templates.surveys import Value

_PLACE = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
_LEFT_OUT = object()
_ENVIRONMENT = "environment"


def check_places(runner: Runner, work: Mapping[str, Any], query: str, names: Sequence[str]) -> None:
    """Raise BadInput for a place that nothing is put into, or that nothing may be put into."""
    for key, value in work.items():
        for name in _places(value):
            if key in runner.code and name in names and runner.answers == _ENVIRONMENT:
                raise BadInput(
                    _('"%(key)s" is read by a shell: nothing is put into it') % {"key": key},
                    hint=_('the answer is in a variable: write "$%(name)s" instead') % {"name": name},
                    field="work",
                )
            if key not in runner.code:
                _require_known(name, names, "work")
    own = work.get(runner.answers)
    if isinstance(own, dict) and (both := sorted(set(own) & set(names))) and _has_code(runner, work):
        raise BadInput(_('"%(name)s" is asked for, and set as well') % {"name": both[0]}, field="work")
    for place in _PLACE.finditer(query):
        _require_known(place[1], names, "query")
        if len(re.findall(r'(?<!\\)(?:\\\\)*"', query[: place.start()])) % 2:
            raise BadInput(
                _("an answer gets quotes of its own"), hint=_("leave out those around {{ … }}"), field="query"
            )


def _require_known(name: str, names: Sequence[str], field: str) -> None:
    if name not in names:
        raise BadInput(
            _('the survey does not ask for "%(name)s"') % {"name": name},
            hint=did_you_mean(name, names) or ", ".join(names) or _("add it to the survey"),
            field=field,
        )


def _places(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(_PLACE.findall(value))
    if isinstance(value, dict):
        return set().union(*map(_places, value.values()))
    return set().union(*map(_places, value)) if isinstance(value, list) else set()


def _has_code(runner: Runner, work: Mapping[str, Any]) -> bool:
    return any(key in work for key in runner.code)


def rendered_work(
    runner: Runner, work: Mapping[str, Any], values: Mapping[str, Value], names: Sequence[str]
) -> dict[str, Any]:
    """Return the work with the answers. A question that was left open is an empty variable, and no key elsewhere."""
    found = {key: value if key in runner.code else _filled(value, values) for key, value in work.items()}
    found = {key: value for key, value in found.items() if value is not _LEFT_OUT}
    if names and _has_code(runner, work):
        variables = {name: text_of(values[name], "\n") if name in values else "" for name in names}
        found[runner.answers] = {**(found.get(runner.answers) or {}), **variables}
    return found


def _filled(value: Any, values: Mapping[str, Value]) -> Any:
    if isinstance(value, str):
        if alone := _PLACE.fullmatch(value.strip()):
            return values.get(alone[1], _LEFT_OUT)
        return _PLACE.sub(lambda place: text_of(values[place[1]]) if place[1] in values else "", value)
    if isinstance(value, dict):
        filled = {key: _filled(inner, values) for key, inner in value.items()}
        return {key: inner for key, inner in filled.items() if inner is not _LEFT_OUT}
    if isinstance(value, list):
        return [inner for inner in (_filled(one, values) for one in value) if inner is not _LEFT_OUT]
    return value


def rendered_query(query: str, values: Mapping[str, Value]) -> str:
    """Return the query with the answers. Raises BadInput for one that was left open: it would select more."""

    def quoted(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise BadInput(_("the hosts depend on this answer"), field=place[1])
        value = values[place[1]]
        texts = [text_of(one) for one in value] if isinstance(value, list) else [text_of(value)]
        written = [f'"{text}"' for text in (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)]
        return written[0] if len(written) == 1 else f"({' OR '.join(written)})"

    return _PLACE.sub(quoted, query)


def text_of(value: Value, between: str = ",") -> str:
    """Return a value as text: true, 1.5, "a,b"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return between.join(value) if isinstance(value, list) else str(value)
