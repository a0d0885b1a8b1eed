"""The query language over issues, as Sentry's users write it.

is:unresolved, is:regressed ...     states, and who works on it
level, type, project, events ...    the issue's own columns
release, environment, service       any with which it was seen
item:web1, item.env:prod            what the items of that inventory query sent
tags.browser:Firefox*, user:7       issues with such an event in the time that is looked at
words                               in the title or the place
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import reduce
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import And, Match, Node, Op, Or, Text, Value
from quarterdeck.errors.matching import Window, issues_with
from quarterdeck.errors.models import IssueHash, State, Trait, TraitName
from quarterdeck.errors.numbers import signed
from quarterdeck.errors.scope import SEE, sources_of
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import compiled
from quarterdeck.inventory.queries.operands import as_number, as_regex, as_time, bounds
from quarterdeck.telemetry.error_kinds import PERFORMANCE

NEW = timedelta(days=1)
_TEXTS = ("type", "culprit", "kind", "level", "platform", "logger", "title", "first_release", "last_release")
_ALIASES = {
    "error.type": "type",
    "firstrelease": "first_release",
    "first-release": "first_release",
    "lastrelease": "last_release",
    "message": "title",
    "env": "environment",
    "assigned": "assignee",
    "age": "first_seen",
    "firstseen": "first_seen",
    "lastseen": "last_seen",
    "timesseen": "events",
    "count": "events",
}
_TIMES = ("first_seen", "last_seen", "regressed_at", "resolved_at")
_NUMBERS = {"events": "event_count", "users": "user_count", "id": "pk", "project": "project"}
_TRAITS = {"release": TraitName.RELEASE, "environment": TraitName.ENVIRONMENT, "service": TraitName.SERVICE}
_OF_EVENTS = {"user": "user", "trace": "trace_id", "host": "host", "transaction": "transaction", "event": "event_id"}
_LEVELS = {"warn": "warning", "err": "error", "critical": "fatal"}
FIELDS = ("is", "assignee", "item", "group", *_TEXTS, *_TIMES, *_NUMBERS, *_TRAITS, *_OF_EVENTS)


def _is() -> Mapping[str, Q]:
    return {
        "unresolved": Q(state=State.UNRESOLVED),
        "resolved": Q(state=State.RESOLVED),
        "ignored": Q(state=State.IGNORED),
        "archived": Q(state=State.IGNORED),
        "regressed": Q(state=State.UNRESOLVED, regressed_at__isnull=False),
        "new": Q(first_seen__gte=now() - NEW),
        "assigned": Q(assignee__isnull=False),
        "unassigned": Q(assignee__isnull=True),
        "unhandled": Q(is_unhandled=True),
        "handled": Q(is_unhandled=False),
        "performance": Q(kind__in=PERFORMANCE),
    }


class IssueFields:
    """Fields of issues, as `compile_q` asks for them. `window` is the time in which events are looked for."""

    def __init__(self, actor: Actor, window: Window) -> None:
        self._actor = actor
        self._window = window
        self._special: Mapping[str, Callable[[Match], Q]] = {
            "is": self._state,
            "assignee": self._assignee,
            "group": self._group,
        }

    def everything(self) -> Q:
        return Q()

    def text(self, text: Text) -> Q:
        return _contains("title", text.value) | _contains("culprit", text.value)

    def match(self, match: Match) -> Q:
        name = _ALIASES.get(match.field.lower(), match.field)
        if name == "item" or name.startswith("item."):
            return self._item(match)
        if name in self._special:
            return self._special[name](match)
        if name in _TEXTS:
            return _text(name, match)
        if name in _TIMES:
            return _compared(name, match, as_time)
        if name in _NUMBERS:
            return _compared(_NUMBERS[name], match, as_number)
        if name in _TRAITS:
            return Q(pk__in=Trait.objects.filter(_text("value", match), name=_TRAITS[name]).values("issue_id"))
        if name in _OF_EVENTS or name.startswith("tags."):
            return issues_with(self._actor, self._window, _OF_EVENTS.get(name, name), match)
        raise _unknown(match)

    def _state(self, match: Match) -> Q:
        known = _is()
        _only_equal(match)
        for value in match.values:
            if value.text.lower() not in known:
                raise BadQuery(
                    _('An issue is never "%(value)s".') % {"value": value.text[:60]},
                    hint=did_you_mean(value.text, known) or _("Use one of %(names)s.") % {"names": ", ".join(known)},
                    field="is",
                    position=match.position,
                )
        return reduce(lambda a, b: a | b, (known[value.text.lower()] for value in match.values))

    def _assignee(self, match: Match) -> Q:
        if match.op is Op.PRESENT:
            return Q(assignee__isnull=False)
        _only_equal(match)
        return reduce(lambda a, b: a | b, (self._assigned_to(value) for value in match.values))

    def _assigned_to(self, value: Value) -> Q:
        name = value.text.lower()
        if name == "none":
            return Q(assignee__isnull=True)
        if name == "me":
            is_person = self._actor.kind == ActorKind.USER and self._actor.id.isdecimal()
            return Q(assignee_id=int(self._actor.id)) if is_person else Q(pk__in=[])
        return _one("assignee__username", value)

    def _group(self, match: Match) -> Q:
        """By the hash of a group of events, in hex."""
        _only_equal(match)
        numbers = [signed(int(v.text, 16)) for v in match.values if re.fullmatch("[0-9a-fA-F]{1,16}", v.text)]
        return Q(pk__in=IssueHash.objects.filter(grouping_hash__in=numbers).values("issue_id"))

    def _item(self, match: Match) -> Q:
        found = compiled(item_node(match), self._actor)
        return sources_of(visible(self._actor, SEE, Item.objects.filter(found))).issues


def item_node(match: Match) -> Node:
    """Return the inventory's condition of `item:web1`, `item:host/web1`, `item:7` or `item.env:prod`."""
    name = match.field.partition(".")[2]
    if name or match.op is not Op.EQ:
        return Match(name or "name", match.op, match.values, match.position)
    nodes = [_item_named(value, match) for value in match.values]
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))


def _item_named(value: Value, match: Match) -> Node:
    kind, slash, name = value.raw.partition("/")
    named = Match("name", Op.EQ, (Value(name, value.quoted) if slash else value,), match.position)
    if slash:
        return And((Match("type", Op.EQ, (Value(kind, value.quoted),), match.position), named))
    if value.text.isdecimal() and len(value.text) < 19:
        return Or((Match("id", Op.EQ, (value,), match.position), named))
    return named


def _unknown(match: Match) -> BadQuery:
    return BadQuery(
        _('There is no field "%(field)s".') % {"field": match.field},
        hint=did_you_mean(match.field, FIELDS)
        or _('A tag is asked for as tags.%(field)s; text with ":" is put in quotes.') % {"field": match.field},
        field=match.field,
        position=match.position,
    )


def _only_equal(match: Match) -> None:
    if match.op is not Op.EQ:
        raise BadQuery(
            _("%(field)s cannot be compared with < or >.") % {"field": match.field},
            hint=_("Write %(field)s:value or %(field)s:(a OR b).") % {"field": match.field},
            field=match.field,
            position=match.position,
        )


def _contains(column: str, value: Value) -> Q:
    """A word with wildcards matches a whole line as `*word*` does."""
    if not value.is_pattern:
        return Q(**{f"{column}__icontains": value.text})
    return Q(**{f"{column}__iregex": as_regex(Value(f"*{value.raw}*"))})


def _one(column: str, value: Value) -> Q:
    if value.is_pattern:
        return Q(**{f"{column}__iregex": as_regex(value)})
    return Q(**{f"{column}__iexact": value.text})


def _text(column: str, match: Match) -> Q:
    if match.op is Op.PRESENT:
        return ~Q(**{column: ""})
    _only_equal(match)
    if column == "title":
        return reduce(lambda a, b: a | b, (_contains(column, value) for value in match.values))
    values = [Value(_LEVELS.get(v.raw.lower(), v.raw), v.quoted) if column == "level" else v for v in match.values]
    return reduce(lambda a, b: a | b, (_one(column, value) for value in values))


def _compared(column: str, match: Match, read: Callable[[Value, Match], Any]) -> Q:
    if match.op is Op.PRESENT:
        return Q(**{f"{column}__isnull": False})
    if match.op is Op.EQ:
        return Q(**{f"{column}__in": [read(value, match) for value in match.values]})
    low, high, is_above, is_below = bounds(match, lambda value: read(value, match))
    found = Q()
    if low is not None:
        found &= Q(**{f"{column}__gt{'' if is_above else 'e'}": low})
    if high is not None:
        found &= Q(**{f"{column}__lt{'' if is_below else 'e'}": high})
    return found
