"""Items, relations, changes and events as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Required

from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.shapes import Body, Id, Json, Line, QueryText, Reason, moment
from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.models import Change, Item, Observation, Relation, TimelineEvent
from quarterdeck.inventory.queries import Moment


class ItemRow(TypedDict, total=False):
    """One item. `fields=` leaves parts out; id, type and name are always there."""

    id: Required[int]
    type: Required[str]
    name: Required[str]
    state: str
    raw_state: str
    lifecycle: str
    env: str
    provider: str
    account: str
    region: str
    primary_ip: str | None
    owner: str
    labels: dict[str, Json]
    attributes: dict[str, Json]
    desired: dict[str, Json]
    first_seen: str
    last_seen: str
    updated_at: str
    version: int
    relations: list[RelationRow]


class RelationRow(TypedDict):
    """A relation; `source` tells who said so."""

    id: int
    src: int
    dst: int
    src_name: str
    dst_name: str
    type: str
    source: str
    first_seen: str
    last_seen: str


class ItemPage(Schema):
    items: list[ItemRow]
    next: str | None


class RelationPage(Schema):
    items: list[RelationRow]
    next: str | None


class ChangeRow(TypedDict):
    """One field before and after. `field` is "" for the creation of the item."""

    id: int
    change_set: int
    item_id: int
    item: str
    at: str
    actor: str
    source: str
    reason: str
    request_id: str
    field: str
    old: Json
    new: Json


class ChangePage(Schema):
    items: list[ChangeRow]
    next: str | None


class EventRow(TypedDict):
    """Something that happened to an item."""

    id: int
    item_id: int | None
    at: str
    kind: str
    severity: str
    title: str
    detail: Json
    actor: str


class MomentRow(TypedDict):
    """One line of a timeline: an event, or what one call changed on one item ("inventory.change")."""

    at: str
    kind: str
    severity: str
    title: str
    actor: str
    item_id: int | None
    item_name: str
    detail: Json


class ObservationRow(TypedDict):
    """What one source last said of an item."""

    id: int
    source: str
    scope: str
    external_id: str
    attributes: dict[str, Json]
    first_seen: str
    seen_at: str
    misses: int
    gone_at: str | None


class ItemValues(Body):
    """Values that people set. null takes a value away: the item shows again what its sources say."""

    name: Line | None = None
    state: Line | None = None
    env: Line | None = None
    provider: Line | None = None
    account: Line | None = None
    region: Line | None = None
    primary_ip: Line | None = None
    owner: Line | None = None
    labels: dict[Line, Line | None] = Field(default_factory=dict, max_length=1000)
    attributes: dict[Line, Json] = Field(default_factory=dict, max_length=1000)
    reason: Reason = ""

    def changes(self) -> dict[str, Any]:
        """Return what was given, flat: `{"env": "prod", "cpu_count": 8, "label.role": "web"}`."""
        given = self.model_dump(exclude_unset=True, exclude={"labels", "attributes", "reason", "type", "query", "ids"})
        labels = {f"label.{name}": value for name, value in self.labels.items()}
        return {**self.attributes, **given, **labels}


class NewItem(ItemValues):
    type: Line
    name: Line


class Selection(Body):
    """Items by id, or all that a query selects; one of both."""

    ids: list[Id] = Field(default_factory=list, max_length=10_000)
    query: QueryText | None = None
    reason: Reason = ""

    def chosen(self) -> str | list[int]:
        """Return the ids or the query. Raises BadInput when neither or both are given."""
        if bool(self.ids) == (self.query is not None):
            raise BadInput(_("name the items by ids or by query"), hint=_("one of both"), field="ids")
        return self.query if self.query is not None else self.ids


class BulkChange(Selection, ItemValues):
    """The same values for many items."""


def _named(name: str) -> Callable[[Item], Any]:
    return lambda item: getattr(item, name)


def _time(name: str) -> Callable[[Item], Any]:
    return lambda item: moment(getattr(item, name))


_PLAIN = ("state", "raw_state", "lifecycle", "env", "provider", "account", "region", "primary_ip", "owner")
_READERS: dict[str, Callable[[Item], Any]] = {
    "id": lambda item: item.pk,
    "type": lambda item: item.type.code,
    "name": lambda item: item.name,
    **{name: _named(name) for name in (*_PLAIN, "labels", "attributes", "desired")},
    **{name: _time(name) for name in ("first_seen", "last_seen", "updated_at")},
    "version": lambda item: item.version,
}


def chosen_fields(text: str) -> tuple[str, ...]:
    """Return the parts that `fields=` names, all when it is empty. Raises BadInput for a part that does not exist."""
    if not text:
        return tuple(_READERS)
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in _READERS:
            raise BadInput(
                _('items have no part "%(name)s"') % {"name": name},
                hint=did_you_mean(name, _READERS) or ", ".join(_READERS),
                field="fields",
            )
    return ("id", "type", "name", *(name for name in names if name not in ("id", "type", "name")))


def item_row(item: Item, fields: Sequence[str] = tuple(_READERS)) -> ItemRow:
    return {name: _READERS[name](item) for name in fields}  # type: ignore[return-value]


def relation_row(relation: Relation) -> RelationRow:
    return {
        "id": relation.pk,
        "src": relation.src_id,
        "dst": relation.dst_id,
        "src_name": relation.src.name,
        "dst_name": relation.dst.name,
        "type": relation.type,
        "source": relation.source,
        "first_seen": moment(relation.first_seen) or "",
        "last_seen": moment(relation.last_seen) or "",
    }


def change_row(change: Change) -> ChangeRow:
    made = change.change_set
    return {
        "id": change.pk,
        "change_set": made.pk,
        "item_id": change.item_id,
        "item": change.item.name,
        "at": moment(made.at) or "",
        "actor": made.actor,
        "source": made.source,
        "reason": made.reason,
        "request_id": made.request_id,
        "field": change.field,
        "old": change.old,
        "new": change.new,
    }


def event_row(event: TimelineEvent) -> EventRow:
    return {
        "id": event.pk,
        "item_id": event.item_id,
        "at": moment(event.at) or "",
        "kind": event.kind,
        "severity": event.severity,
        "title": event.title,
        "detail": event.detail,
        "actor": event.actor,
    }


def moment_row(happened: Moment) -> MomentRow:
    return {
        "at": moment(happened.at) or "",
        "kind": happened.kind,
        "severity": happened.severity,
        "title": happened.title,
        "actor": happened.actor,
        "item_id": happened.item_id,
        "item_name": happened.item_name,
        "detail": dict(happened.detail),
    }


def observation_row(seen: Observation) -> ObservationRow:
    return {
        "id": seen.pk,
        "source": seen.source,
        "scope": seen.scope,
        "external_id": seen.external_id,
        "attributes": seen.attributes,
        "first_seen": moment(seen.first_seen) or "",
        "seen_at": moment(seen.seen_at) or "",
        "misses": seen.misses,
        "gone_at": moment(seen.gone_at),
    }
