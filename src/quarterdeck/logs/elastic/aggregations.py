"""The tree of aggregations of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic.bodies import a_text, an_object, expected, unsupported
from quarterdeck.logs.elastic.composite import Composite, composite_of
from quarterdeck.logs.elastic.histograms import date_histogram_of, histogram_of
from quarterdeck.logs.elastic.keys import Keys, Row, date_range_of, filter_of, filters_of, missing_of, range_of
from quarterdeck.logs.elastic.metrics import METRICS, Metric, metric_of
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.logs.elastic.top import Top, top_of

DEPTH_MAX = 5
# Each kind of bucket in the tree is one statement.
BUCKETS_MAX = 20
METRICS_MAX = 100
_INSIDE = ("aggs", "aggregations", "meta")

KINDS: dict[str, Callable[[object, Reader], Keys]] = {
    "terms": top_of,
    "date_histogram": date_histogram_of,
    "histogram": histogram_of,
    "range": range_of,
    "date_range": date_range_of,
    "filter": filter_of,
    "filters": filters_of,
    "missing": missing_of,
    "composite": composite_of,
}


@dataclass(slots=True)
class Buckets:
    """One aggregation into buckets; `rows` are those that were found, by the keys of the buckets around them."""

    name: str
    keys: Keys
    inside: Tree
    rows: dict[tuple[Any, ...], list[Row]] = field(default_factory=dict)

    @property
    def hashes(self) -> list[int]:
        """Tell the keys apart that were chosen, wherever they stand."""
        return sorted({row.hash for rows in self.rows.values() for row in rows})

    @property
    def is_chosen(self) -> bool:
        """Whether not all keys are there, but some that were chosen."""
        return isinstance(self.keys, Top | Composite)


@dataclass(slots=True)
class Tree:
    """What is aggregated beside one another, by name; `metas` goes back as it came."""

    buckets: dict[str, Buckets] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    metas: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.buckets or self.metrics)


def parse_aggregations(given: object, reader: Reader) -> Tree:
    """Return the tree of `aggs`. Raises BadQuery for what is not known, too deep or too much."""
    counted = [0, 0]
    tree = _tree(given, reader, 1, counted)
    if counted[0] > BUCKETS_MAX or counted[1] > METRICS_MAX:
        raise BadQuery(
            _("The request has %(buckets)d bucket and %(metrics)d metric aggregations.")
            % {"buckets": counted[0], "metrics": counted[1]},
            hint=_("at most %(buckets)d and %(metrics)d") % {"buckets": BUCKETS_MAX, "metrics": METRICS_MAX},
        )
    return tree


def _tree(given: object, reader: Reader, depth: int, counted: list[int]) -> Tree:
    if given and depth > DEPTH_MAX:
        raise BadQuery(_("Aggregations are nested more than %(limit)d levels deep.") % {"limit": DEPTH_MAX})
    tree = Tree()
    for name, body in an_object(given, "aggs").items():
        a_text(name, "aggs")
        found = an_object(body, name[:60])
        kinds = [one for one in found if one not in _INSIDE]
        if len(kinds) != 1:
            raise expected(name[:60], _("one aggregation"), ", ".join(kinds) or "{}")
        kind, inner = kinds[0], found.get("aggs") or found.get("aggregations") or {}
        if isinstance(found.get("meta"), dict):
            tree.metas[name] = found["meta"]
        if kind in METRICS and not inner:
            counted[1] += 1
            tree.metrics[name] = metric_of(kind, found[kind], reader.terms, reader.names)
        elif kind in KINDS:
            counted[0] += 1
            if kind == "composite" and depth > 1:
                raise BadQuery(_("[composite] cannot stand inside of another aggregation"))
            if counted[0] <= BUCKETS_MAX:
                below = _tree(inner, reader, depth + 1, counted)
                tree.buckets[name] = Buckets(name, KINDS[kind](found[kind], reader), below)
        else:
            raise unsupported("aggs", kind if not inner else f"{kind} > aggs", (*KINDS, *METRICS))
    return tree
