"""The query language over host keys.

state, is:changed           where a key stands; `is:changed` waits for a decision as another than the approved one
address, port, fingerprint, algorithm, origin, by, first_seen, last_seen, decided_at
item:web1, item.state:running
any other field             is the item's: env:prod role:web
words                       in the address, the fingerprint or the item's name
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Op, Text, Value
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import compiled
from quarterdeck.inventory.queries.operands import as_number, as_regex, as_time, bounds
from quarterdeck.jobs.host_keys.models import HostKeyState, Origin
from quarterdeck.jobs.host_keys.scope import SEE

_TEXTS = {"address": "address", "fingerprint": "fingerprint", "by": "decided_by"}
_NUMBERS = {"port": "port", "id": "pk"}
_TIMES = ("first_seen", "last_seen", "decided_at")


class HostKeyFields:
    """Fields of host keys, as `compile_q` asks for them."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def everything(self) -> Q:
        return Q()

    def text(self, text: Text) -> Q:
        columns = ("address", "fingerprint", "item__name")
        return reduce(lambda a, b: a | b, (_contains(column, text.value) for column in columns))

    def match(self, match: Match) -> Q:
        name = match.field.lower()
        if name == "is":
            return _named(match, _IS)
        if name in ("state", "origin"):
            values = HostKeyState.values if name == "state" else Origin.values
            return _named(match, {value: Q(**{name: value}) for value in values})
        if name in _TEXTS:
            if match.op is Op.PRESENT:
                return ~Q(**{_TEXTS[name]: ""})
            return _any(match, lambda value: _one(_TEXTS[name], value))
        if name == "algorithm":
            return _any(match, lambda value: Q(key__startswith=f"{value.text.lower()} "))
        if name in _NUMBERS or name in _TIMES:
            return _compared(_NUMBERS.get(name, name), match, as_number if name in _NUMBERS else as_time)
        return self._item(match)

    def _item(self, match: Match) -> Q:
        whole, _dot, rest = match.field.partition(".")
        field = (rest or "name") if whole.lower() == "item" else match.field
        found = compiled(Match(field, match.op, match.values, match.position), self._actor)
        return Q(item__in=visible(self._actor, SEE, Item.objects.filter(found)))


_IS: Mapping[str, Q] = {
    "changed": Q(state=HostKeyState.PENDING, is_change=True),
    "new": Q(state=HostKeyState.PENDING, is_change=False),
    **{value: Q(state=value) for value in HostKeyState.values},
}


def _named(match: Match, known: Mapping[str, Q]) -> Q:
    def one(value: Value) -> Q:
        if value.text.lower() in known:
            return known[value.text.lower()]
        raise BadQuery(
            _('%(field)s is never "%(value)s".') % {"field": match.field, "value": value.text[:60]},
            hint=did_you_mean(value.text, known) or ", ".join(known),
            field=match.field,
            position=match.position,
        )

    return _any(match, one)


def _any(match: Match, one: Callable[[Value], Q]) -> Q:
    if match.op is not Op.EQ:
        raise BadQuery(
            _("%(field)s cannot be compared with < or >.") % {"field": match.field},
            hint=_("Write %(field)s:value or %(field)s:(a OR b).") % {"field": match.field},
            field=match.field,
            position=match.position,
        )
    return reduce(lambda a, b: a | b, map(one, match.values))


def _contains(column: str, value: Value) -> Q:
    if not value.is_pattern:
        return Q(**{f"{column}__icontains": value.text})
    return Q(**{f"{column}__iregex": as_regex(Value(f"*{value.raw}*"))})


def _one(column: str, value: Value) -> Q:
    return Q(**{f"{column}__iregex": as_regex(value)}) if value.is_pattern else Q(**{f"{column}__iexact": value.text})


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
