"""Issues by what their events hold: tags, users, traces, hosts. Looked for in the engine, in a stretch of time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query import Match, Op, Value
from quarterdeck.errors.models import IssueHash
from quarterdeck.errors.numbers import signed
from quarterdeck.errors.scope import events_of
from quarterdeck.errors.sql import ask
from quarterdeck.telemetry.conditions import Names, Sql

GROUPS_MAX = 20_000
_LAST_SECOND = 2.0**32 - 1
_GROUPS = "SELECT DISTINCT project, grouping_hash FROM error_events WHERE {where} LIMIT {limit:UInt32}"
_TAG = re.compile(r"tags\.[\w.\-/]+")


@dataclass(frozen=True, slots=True)
class Window:
    """The time [`since`, `until`) of events."""

    since: datetime
    until: datetime

    def sql(self, names: Names, column: str = "ts") -> Sql:
        """Return the condition that `column` lies in the window."""
        # The tables' days are 16 bits: nothing lies outside.
        bounds = [max(0.0, min(at.timestamp(), _LAST_SECOND)) for at in (self.since, self.until)]
        text = f"{column} >= toDateTime64({{}}, 6, 'UTC') AND {column} < toDateTime64({{}}, 6, 'UTC')"
        return names.sql(text, *(("Float64", at) for at in bounds))


def issues_with(actor: Actor, window: Window, place: str, match: Match) -> Q:
    """Return the issues with an event in the window whose column or tag (`tags.x`) is as the match says."""
    names = Names()
    where = window.sql(names) & events_of(actor, names) & condition_of(names, place, match)
    rows = ask(_GROUPS, where, {"limit": GROUPS_MAX + 1})
    if len(rows) > GROUPS_MAX:
        raise BadQuery(
            _("%(field)s selects too many issues.") % {"field": match.field},
            hint=_("Choose a shorter time range, or narrow the query."),
            field=match.field,
            position=match.position,
        )
    return of_groups((int(project), int(number)) for project, number in rows)


def of_groups(groups: Iterable[tuple[int, int]]) -> Q:
    """Return the issues of these groups of events."""
    by_project: dict[int, list[int]] = {}
    for project, number in groups:
        by_project.setdefault(project, []).append(signed(number))
    hashes = Q(pk__in=[])
    for project, numbers in by_project.items():
        hashes |= Q(project=project, grouping_hash__in=numbers)
    return Q(pk__in=IssueHash.objects.filter(hashes).values("issue_id"))


def condition_of(names: Names, place: str, match: Match) -> Sql:
    """Return the condition that a column or a tag (`tags.x`) is as the match says. Raises BadQuery."""
    column = place
    if place.startswith("tags."):
        if not _TAG.fullmatch(place):
            raise BadQuery(_('"%(name)s" cannot be a field.') % {"name": place[:60]}, position=match.position)
        # The grammar lets nothing but letters, digits and `_ . - /` into a name: it may stand in the statement.
        column = f"tags['{place[5:]}']"
    if match.op is Op.PRESENT:
        return Sql(f"{column} != ''")
    if match.op is not Op.EQ:
        raise BadQuery(
            _("%(field)s cannot be compared with < or >.") % {"field": match.field},
            hint=_("Write %(field)s:value or %(field)s:(a OR b).") % {"field": match.field},
            field=match.field,
            position=match.position,
        )
    return reduce(lambda a, b: a | b, (_equal(names, column, value) for value in match.values))


def _equal(names: Names, column: str, value: Value) -> Sql:
    if value.is_pattern:
        like = "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in value.pieces)
        return names.sql(f"{column} ILIKE {{}}", ("String", like))
    text = value.text.lower() if column in ("trace_id", "event_id") else value.text
    return names.sql(f"{column} = {{}}", ("String", text))
