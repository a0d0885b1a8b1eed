"""Lists of items: what an actor may see of what a query selects, in pages, with counts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, BadQuery, NotFound, TooMany
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Node, compile_q, mentions, parse
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, ItemIndex, Lifecycle
from quarterdeck.inventory.queries.selecting import ItemFields
from quarterdeck.inventory.values import moment

SORTS = ("name", "type", "state", "env", "last_seen", "first_seen", "updated_at", "id", "owner", "region", "lifecycle")
_TIMES = ("last_seen", "first_seen", "updated_at")
HIDDEN = (Lifecycle.RETIRED.value, Lifecycle.TRASHED.value)
MAX_PAGE = 1000
# SQLite refuses an expression deeper than 1,000.
_MAX_CONDITIONS = 900


def condition(text: str) -> Q:
    """Return what `text` selects, as a role's scope or a rule needs it: without any default. Raises BadQuery."""
    return compiled(parse(text))


def compiled(node: Node, actor: Actor = SYSTEM) -> Q:
    """Return what the query selects. Raises BadQuery, also for lists of which each value is a condition of its own."""
    found = compile_q(node, ItemFields(catalogue(), actor))
    if (count := _count(found)) > _MAX_CONDITIONS:
        raise BadQuery(
            _("The query has %(found)d terms, at most %(limit)d are allowed.")
            % {"found": count, "limit": _MAX_CONDITIONS},
            hint=_("Use a wildcard, a label or a saved view instead of a long list."),
        )
    return found


def _count(found: Q) -> int:
    return sum(_count(child) if isinstance(child, Q) else 1 for child in found.children)


def items(actor: Actor, q: str = "", sort: str = "", *, verb: str = "inventory.view") -> QuerySet[Item]:
    """Return the items that the query selects and the actor may see, in order of `sort` ("name", "-last_seen").

    Retired and trashed items are left out unless the query asks for `lifecycle`. Raises BadQuery, BadInput.
    """
    node = parse(q)
    found = Item.objects.filter(compiled(node, actor))
    if not mentions(node, "lifecycle"):
        found = found.exclude(lifecycle__in=HIDDEN)
    return visible(actor, verb, found).order_by(*order_of(sort)).select_related("type")


def order_of(sort: str) -> tuple[str, ...]:
    """Return the columns of `sort`, with the id last so that the order is total."""
    sign, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort or "name")
    if name not in SORTS:
        raise BadInput(
            _('Items cannot be sorted by "%(name)s".') % {"name": name[:40]},
            hint=did_you_mean(name, SORTS) or _("Use one of %(names)s.") % {"names": ", ".join(SORTS)},
            field="sort",
        )
    return (f"{sign}id",) if name == "id" else (f"{sign}{name}", f"{sign}id")


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

    Keyset paging: the cost does not grow with the depth. The queryset is one of `items()`.
    """
    limit = max(1, min(limit, MAX_PAGE))
    order = [str(name) for name in queryset.query.order_by]
    columns = [name.lstrip("-") for name in order]
    if after:
        queryset = queryset.filter(_behind(order, _values(after, len(columns))))
    rows = list(queryset[: limit + 1])
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    keys = [_key(last, column) for column in columns]
    return rows[:limit], _cursor(keys)


def _key(item: Item, column: str) -> Any:
    value = item.type.code if column == "type" else getattr(item, column)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """`a > x OR (a = x AND id > y)`, written as `a >= x AND (a > x OR id > y)`, which an index of a can use."""
    names = [("type__code" if name.lstrip("-") == "type" else name.lstrip("-")) for name in order]
    operators = ["lt" if name.startswith("-") else "gt" for name in order]
    try:
        if len(names) == 1:
            return Q(**{f"{names[0]}__{operators[0]}": int(values[0])})
        first, key = f"{names[0]}__{operators[0]}", f"{names[1]}__{operators[1]}"
        value = _as_of(names[0], values[0])
        return Q(**{f"{first}e": value}) & (Q(**{first: value}) | Q(**{key: int(values[1])}))
    except (TypeError, ValueError, OverflowError):
        raise BadInput(_("This is not a page's cursor."), hint=_("Start from the first page."), field="after") from None


def _as_of(column: str, value: Any) -> str | datetime:
    """Return a cursor's value of a column; raises ValueError for one that the column could not have."""
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return moment(value) if column in _TIMES else value


def get_item(actor: Actor, pk: int) -> Item:
    """Return one item that the actor may see, in whatever stage of life. Raises NotFound."""
    item = visible(actor, "inventory.view", Item.objects.filter(pk=pk)).select_related("type").first()
    if item is None:
        raise NotFound(_("There is no item %(id)d.") % {"id": pk}, hint=_("It may have been purged or merged."))
    return item


def targets(actor: Actor, target: str | Sequence[int], verb: str, *, limit: int) -> list[int]:
    """Return the ids that a bulk action is about: a query's, or the given ones. Raises NotFound for an unknown id."""
    if isinstance(target, str):
        ids = list(items(actor, target, "id", verb=verb).values_list("pk", flat=True)[: limit + 1])
    else:
        wanted = list(dict.fromkeys(target))
        known = set(visible(actor, "inventory.view", Item.objects.filter(pk__in=wanted)).values_list("pk", flat=True))
        ids = [pk for pk in wanted if pk in known]
        if len(ids) < len(wanted):
            lost = next(pk for pk in wanted if pk not in known)
            raise NotFound(_("There is no item %(id)d.") % {"id": lost}, hint=_("It may have been purged or merged."))
    if len(ids) > limit:
        raise TooMany(
            _("More than %(limit)d items are selected.") % {"limit": limit}, hint=_("Narrow the query and repeat.")
        )
    return ids


def facets(
    actor: Actor,
    q: str = "",
    *,
    fields: Sequence[str] = ("type", "state", "env", "provider", "region", "lifecycle"),
    limit: int = 20,
) -> dict[str, list[tuple[str, int]]]:
    """Return `{"env": [("prod", 812), ...]}`: how the selected items spread over columns, labels and attributes."""
    base = items(actor, q).order_by()
    result: dict[str, list[tuple[str, int]]] = {}
    codes = {spec.id: spec.code for spec in catalogue().types.values()}
    for field in fields:
        if field in ("state", "env", "provider", "region", "account", "owner", "lifecycle", "type"):
            column = "type_id" if field == "type" else field
            rows = base.values_list(column).annotate(n=Count("pk")).order_by("-n", column)[:limit]
            result[field] = [(codes[value] if field == "type" else value, n) for value, n in rows if value != ""]
        else:
            values = ItemIndex.objects.filter(field=field, item_id__in=base.values("pk"), text__isnull=False)
            counted = values.values_list("text").annotate(n=Count("item_id")).order_by("-n", "text")[:limit]
            result[field] = [(text or "", n) for text, n in counted]
    return result


def counts(actor: Actor, q: str = "") -> dict[str, Any]:
    """Return `{"total": 3, "by_type": {"host": 3}, "by_state": {...}, "by_lifecycle": {...}}` as the actor sees it."""
    found = facets(actor, q, fields=("type", "state", "lifecycle"), limit=500)
    return {
        "total": sum(n for _value, n in found["lifecycle"]),
        "by_type": dict(found["type"]),
        "by_state": dict(found["state"]),
        "by_lifecycle": dict(found["lifecycle"]),
    }


def stale(actor: Actor) -> QuerySet[Item]:
    """Return active items that no source has seen for longer than their type allows."""
    old = Q(pk__in=[])
    by_days: dict[int, list[int]] = {}
    for spec in catalogue().types.values():
        by_days.setdefault(spec.stale_after_days, []).append(spec.id)
    for days, ids in by_days.items():
        old |= Q(type_id__in=ids, last_seen__lt=now() - timedelta(days=days))
    found = Item.objects.filter(old, lifecycle=Lifecycle.ACTIVE)
    return visible(actor, "inventory.view", found).order_by(F("last_seen"), "id").select_related("type")
