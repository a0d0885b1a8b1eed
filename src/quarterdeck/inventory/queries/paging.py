"""Pages of lists of items. The cost does not grow with the depth: a cursor says behind which row the next page begins.

PostgreSQL plans a page of a filtered list as a walk in the order of the list that tests row after row, in the belief
that what is looked for is spread evenly. Names are not: in a fleet of `api-…` and `web-…` it goes through all `api-…`
before it finds the first `role:web`, seconds at a million items. So there the page is looked for among the next few
rows of the list, then among those of each value that the query demands, which stand in the same order in the side
index. When none of these fills it, all ids are selected by the side index first and then put in order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection
from django.db.models import F, Func, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.models import Item, ItemIndex
from quarterdeck.inventory.queries.planning import planned_without
from quarterdeck.inventory.values import moment

MAX_PAGE = 1000
_TIMES = ("seen__last_seen", "first_seen", "updated_at")
# Rows of the first look: some milliseconds, and enough for a page of 50 where one in ten is selected. Beyond so many
# rows, to select all ids is faster.
_NEAR = 500
_FAR = 20_000


def _cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values, default=str)).decode().rstrip("=")


def _values(cursor: str, count: int) -> list[Any]:
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        values = None
    if not isinstance(values, list) or len(values) != count or any(isinstance(one, dict | list) for one in values):
        raise BadInput(
            _("This is not a page's cursor."),
            hint=_("Use the `next` of the page before, with the same sort."),
            field="after",
        )
    return values


def page(queryset: QuerySet[Item], after: str = "", limit: int = 50) -> tuple[list[Item], str | None]:
    """Return `(rows, next)`: at most `limit` rows behind the cursor, and the cursor of the next page or None.

    The queryset is one of `items()`.
    """
    limit = max(1, min(limit, MAX_PAGE))
    order = [str(name) for name in queryset.query.order_by]
    columns = [name.lstrip("-") for name in order]
    rows: list[Item] = []
    for behind in _behind(order, _values(after, len(columns))) if after else [Q()]:
        if len(rows) <= limit:
            rows += _first(queryset, order, behind, limit + 1 - len(rows))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    keys = [_key(last, column) for column in columns]
    return rows[:limit], _cursor(keys)


def _key(item: Item, path: str) -> Any:
    value: Any = item
    for name in path.split("__"):
        value = getattr(value, name)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _behind(order: Sequence[str], values: Sequence[Any]) -> list[Q]:
    """Return `a = x AND id > y`, then `a > x`: each is a range of the index of (a, id), also where all have one value
    of `a`, as after a sync of everything. In one condition they are none, and the rows before the page are walked."""
    names = [name.lstrip("-") for name in order]
    operators = ["lt" if name.startswith("-") else "gt" for name in order]
    try:
        if len(names) == 1:
            return [Q(**{f"{names[0]}__{operators[0]}": int(values[0])})]
        first, key = f"{names[0]}__{operators[0]}", f"{names[1]}__{operators[1]}"
        value = _as_of(names[0], values[0])
        return [Q(**{names[0]: value, key: int(values[1])}), Q(**{first: value})]
    except (TypeError, ValueError, OverflowError):
        raise BadInput(_("This is not a page's cursor."), hint=_("Start from the first page."), field="after") from None


def _as_of(column: str, value: Any) -> str | datetime:
    """Return a cursor's value of a column; raises ValueError for one that the column could not have."""
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return moment(value) if column in _TIMES else value


class _Computed(Func):
    """A column as an expression that no index has: rows are selected first, and sorted then."""

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # type: ignore[override]
        return super().as_sql(compiler, connection, template="COALESCE(%(expressions)s, %(expressions)s)", **context)


def _first(queryset: QuerySet[Item], order: Sequence[str], behind: Q, count: int) -> list[Item]:
    """Return the first `count` rows behind the cursor, in order."""
    found = queryset.filter(behind)
    if connection.vendor != "postgresql" or not _has(queryset.query.where, Query, RawSQL):
        # Where the list is in order of another table, a merge would walk through all items before the page.
        with planned_without(*(["enable_mergejoin", "enable_hashjoin"] if "__" in order[0] else [])):
            return list(found[:count])
    rows = _near(queryset, list(_walks(queryset, order, behind)), count)
    if rows is not None:
        return rows
    # Machine code for one run takes longer to make than to use; words are looked up at once, not row by row.
    with planned_without("jit", *(["enable_nestloop"] if _has(queryset.query.where, RawSQL) else [])):
        ids = list(found.order_by(*map(_computed, order)).values_list("pk", flat=True)[:count])
    by_id = queryset.in_bulk(ids)
    return [by_id[pk] for pk in ids if pk in by_id]


def _walks(queryset: QuerySet[Item], order: Sequence[str], behind: Q) -> Iterator[Any]:
    """Yield ids behind the cursor in the order of the list, as querysets: of all items, then of each value demanded."""
    yield Item.objects.filter(behind).order_by(*order).values_list("pk", flat=True)
    if order[0].lstrip("-") != "name":
        return
    behind_row = Q(*((_of_row(key), value) for key, value in behind.children))  # type: ignore[misc]
    for value in _demanded(queryset.query.where):
        rows = ItemIndex.objects.filter(behind_row, **value).order_by(*map(_of_row, order))
        yield rows.values_list("item_id", flat=True)


def _of_row(key: str) -> str:
    """Return what a column of items, "-id" or "id__gt", is called in the side index."""
    return key.replace("id", "item_id")


def _demanded(where: WhereNode) -> Iterator[dict[str, str]]:
    """Yield `{"field": "label.role", "text": "web"}` for each value of the side index that every selected item has."""
    if where.connector != AND or where.negated:
        return
    for child in where.children:
        if isinstance(child, WhereNode):
            yield from _demanded(child)
        elif isinstance(child, In) and isinstance(child.rhs, Query) and child.rhs.model is ItemIndex:
            conditions = child.rhs.where.children
            value = {one.lhs.target.name: one.rhs for one in conditions if isinstance(one, Exact)}
            if value.keys() == {"field", "text"} and len(conditions) == 2:
                yield value


def _near(queryset: QuerySet[Item], walks: Sequence[Any], count: int) -> list[Item] | None:
    """Return the first `count` rows if they are among the next few of a walk, or all that there are if it ends there.
    None of them having enough, it goes on with the one that had most."""
    found: list[int] = []
    for walk in walks:
        rows = _among(queryset, walk, _NEAR, count)
        if len(rows) == count or _ends(walk, _NEAR):
            return rows
        found.append(len(rows))
    most = max(found)
    look = _NEAR * count * 2 // most if most else _FAR + 1
    if look > _FAR:
        return None
    walk = walks[found.index(most)]
    rows = _among(queryset, walk, look, count)
    return rows if len(rows) == count or _ends(walk, look) else None


def _among(queryset: QuerySet[Item], walk: Any, look: int, count: int) -> list[Item]:
    """Return the first `count` rows among the first `look` of a walk."""
    with planned_without("jit", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        return list(queryset.filter(pk__in=walk[:look])[:count])


def _ends(walk: Any, look: int) -> bool:
    """Whether a walk has fewer rows than were looked at."""
    return not list(walk[look - 1 : look])


def _computed(name: str) -> Any:
    column = _Computed(F(name.lstrip("-")))
    return column.desc() if name.startswith("-") else column.asc()


def _has(node: Any, *kinds: type) -> bool:
    """Whether a condition has what one of `kinds` selects: `Query`, the ids of a subquery; `RawSQL`, those of words."""
    if isinstance(node, WhereNode):
        return any(_has(child, *kinds) for child in node.children)
    return isinstance(getattr(node, "rhs", None), kinds)
