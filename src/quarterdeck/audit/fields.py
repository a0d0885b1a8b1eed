"""What a query of the audit log may ask about: `actor:alice verb:inventory.* result:denied at:>-1d "db1"`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Op, Text, Value, wildcards

_LOOKUPS = {Op.LT: "lt", Op.LE: "lte", Op.GT: "gt", Op.GE: "gte"}
_TEXT = {
    "actor": "actor_name", "actor_kind": "actor_kind", "ip": "source_ip", "verb": "verb", "object": "object_name",
    "object_kind": "object_kind", "object_id": "object_id", "result": "result", "request": "request_id",
    "reason": "reason",
}  # fmt: skip
FIELDS = ("seq", "at", *_TEXT)
_RELATIVE = re.compile(r"-(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class AuditFields:
    """The log's side of `core.query`."""

    def everything(self) -> Q:
        return Q()

    def text(self, text: Text) -> Q:
        found = text.value.text.replace("*", "")
        columns = ("actor_name", "verb", "object_name", "detail", "error")
        return Q.create([(f"{column}__icontains", found) for column in columns], connector=Q.OR)

    def match(self, match: Match) -> Q:
        if match.field in _TEXT:
            return _text_match(_TEXT[match.field], match)
        if match.field == "at":
            return _number_match("at_us", match, _microseconds)
        if match.field == "seq":
            return _number_match("seq", match, _whole)
        raise BadQuery(
            _('The audit log has no field "%(field)s".') % {"field": match.field},
            hint=did_you_mean(match.field, FIELDS) or _("Fields: %(names)s.") % {"names": ", ".join(FIELDS)},
            position=match.position,
        )


def _text_match(column: str, match: Match) -> Q:
    if match.op is Op.PRESENT:
        return ~Q(**{column: ""})
    if match.op is not Op.EQ:
        raise BadQuery(
            _('"%(field)s" is text and cannot be compared.') % {"field": match.field},
            hint=_("Write field:value or field:begin*."),
            position=match.position,
        )
    exact = [value.text for value in match.values if not value.is_pattern]
    condition = Q(**{f"{column}__in": exact}) if exact else Q()
    for value in match.values:
        if value.is_pattern:
            condition |= Q(**{f"{column}__iregex": f"^{wildcards(value, vendor=connection.vendor)}$"})
    return condition


def _number_match(column: str, match: Match, read: Callable[[Value, Match], int]) -> Q:
    values = [None if value.text == "*" else read(value, match) for value in match.values]
    if match.op is Op.PRESENT:
        return Q()
    if match.op is Op.EQ:
        return Q(**{f"{column}__in": values})
    if match.op is Op.BETWEEN:
        low, high = values
        condition = Q() if low is None else Q(**{f"{column}__gte": low})
        return condition if high is None else condition & Q(**{f"{column}__lte": high})
    return Q(**{f"{column}__{_LOOKUPS[match.op]}": values[0]})


def _whole(value: Value, match: Match) -> int:
    if not value.text.isdecimal() or len(value.text) > 18:
        raise BadQuery(_('"%(found)s" is not a whole number.') % {"found": value.text}, position=match.position)
    return int(value.text)


def _microseconds(value: Value, match: Match) -> int:
    return int(_moment(value.text, match).timestamp() * 1_000_000)


def _moment(text: str, match: Match) -> datetime:
    relative = _RELATIVE.fullmatch(text)
    try:
        moment = now() - timedelta(**{_UNITS[relative[2]]: int(relative[1])}) if relative else _absolute(text)
    except OverflowError:
        moment = None
    if moment is None:
        raise BadQuery(
            _('"%(found)s" is not a time.') % {"found": text},
            hint=_("Write 2026-01-31, 2026-01-31T08:00:00Z or -2h."),
            position=match.position,
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _absolute(text: str) -> datetime | None:
    try:
        day = parse_date(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        return None
