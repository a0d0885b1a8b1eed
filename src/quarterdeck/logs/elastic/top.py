"""`terms`: the values of a field that most lines have, or that come first in another order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.compiling import checked_regex
from quarterdeck.logs.elastic.bodies import (
    Body,
    a_scalar,
    a_whole,
    an_object,
    as_text,
    clauses,
    missing,
    one_of,
    texts,
    unsupported,
)
from quarterdeck.logs.elastic.keys import BUCKETS_MAX, Inside, Row, bucket
from quarterdeck.logs.elastic.metrics import Metric
from quarterdeck.logs.elastic.names import Field
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.conditions import EVERYTHING, Sql, all_of

_ALLOWED = ("field", "size", "order", "min_doc_count", "missing", "include", "exclude", "shard_size", "execution_hint",
            "shard_min_doc_count", "show_term_doc_count_error", "collect_mode", "format", "value_type")  # fmt: skip
_METRIC = re.compile(r"([^.\[\]>]+)(?:[.\[]([^\]>]+)\]?)?")


@dataclass(frozen=True, slots=True)
class Top:
    """The first `size` values. `order` is of pairs (what, whether downwards); what is `_count`, `_key` or a metric."""

    key: Sql
    where: Sql
    size: int
    count_min: int
    order: Sequence[tuple[str, bool]]

    def key_at(self, level: int) -> Sql:
        return self.key

    def order_by(self, key: str, metrics: Mapping[str, tuple[Metric, list[str]]]) -> str:
        """Return the SQL behind ORDER BY. `metrics` has each metric with the names of its columns. Raises BadQuery."""
        parts = []
        for what, is_down in self.order:
            way = "DESC" if is_down else "ASC"
            if what in ("_key", "_term"):
                parts.append(f"{key} {way}")
            elif what == "_count":
                parts.append(f"n {way}")
            else:
                parts.append(f"{_metric(what, metrics)} {way} NULLS LAST")
        return ", ".join([*parts, f"{key} ASC"])

    def shape(self, rows: Sequence[Row], inside: Inside) -> dict[str, Any]:
        others = rows[0].total - sum(row.count for row in rows) if rows else 0
        return {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": others,
            "buckets": [bucket(row.key, row, inside, key=row.key) for row in rows],
        }


def _metric(what: str, metrics: Mapping[str, tuple[Metric, list[str]]]) -> str:
    found = _METRIC.fullmatch(what)
    name = what if what in metrics else found[1] if found else what
    if name not in metrics:
        raise BadQuery(
            _("Invalid aggregation order path [%(name)s]") % {"name": what[:60]},
            hint=", ".join(["_count", "_key", *metrics]),
        )
    metric, columns = metrics[name]
    part = (found[2] or "") if found and what not in metrics else ""
    if part not in metric.orders:
        raise unsupported("order", what, [f"{name}.{one}" for one in metric.orders])
    sql = metric.orders[part]
    for at, column in enumerate(columns):
        sql = sql.replace(f"{{c{at}}}", column)
    return sql


def top_of(body: object, reader: Reader) -> Top:
    asked = an_object(body, "terms", _ALLOWED)
    if "field" not in asked:
        raise missing("terms", "field")
    found = reader.terms.field(asked["field"])
    if found.kind in ("text", "date"):
        raise BadQuery(
            _("[%(what)s] does not support the field [%(name)s]") % {"what": "terms", "name": found.name},
            hint="message.keyword" if found.kind == "text" else "date_histogram",
        )
    key, where = _key(found, asked, reader)
    size = a_whole(asked.get("size") or 10, "size", 1, 2**31 - 1)
    least = a_whole(asked.get("min_doc_count", 1), "min_doc_count", 0, 2**31 - 1)
    return Top(key, where, min(size, BUCKETS_MAX + 1), max(1, least), _orders(asked.get("order")))


def _key(found: Field, asked: Body, reader: Reader) -> tuple[Sql, Sql]:
    value = Sql(f"toValidUTF8(toString({found.value.text}))", found.value.parameters)
    where = found.exists
    if asked.get("missing") is not None:
        usual = reader.names.sql("{}", ("String", as_text(a_scalar(asked["missing"], "missing"))))
        parameters = {**found.exists.parameters, **value.parameters, **usual.parameters}
        value, where = Sql(f"if({found.exists.text}, {value.text}, {usual.text})", parameters), EVERYTHING
    limits = [where]
    for name in ("include", "exclude"):
        if asked.get(name) is not None:
            chosen = _chosen(asked[name], name, value, reader)
            limits.append(chosen if name == "include" else ~chosen)
    return value, all_of(limits)


def _chosen(given: object, name: str, value: Sql, reader: Reader) -> Sql:
    """A list is of values, a text is a regular expression of the whole value."""
    if isinstance(given, Mapping):
        raise unsupported(name, "partition")
    if isinstance(given, list):
        made = reader.names.sql("{}", ("Array(String)", texts(given, name)))
        return Sql(f"has({made.text}, {value.text})", {**made.parameters, **value.parameters})
    regex = checked_regex(f"^(?:{checked_regex(as_text(a_scalar(given, name)), name)})$", name)
    made = reader.names.sql("{}", ("String", regex))
    return Sql(f"match({value.text}, {made.text})", {**made.parameters, **value.parameters})


def _orders(given: object) -> list[tuple[str, bool]]:
    if not given:
        return [("_count", True)]
    found = []
    for one in clauses(given, "order"):
        name, way = one_of(one, "order", an_object(one, "order"))
        if str(way).lower() not in ("asc", "desc"):
            raise unsupported("order", way, ("asc", "desc"))
        found.append((name, str(way).lower() == "desc"))
    return found
