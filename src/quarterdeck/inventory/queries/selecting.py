"""The query language over items: which fields there are, and how each is looked up.

name, ip, labels, indexed attributes   side index: `id IN (SELECT item_id ...)`, never EXISTS, which SQLite runs
                                       once per row
type, state, lifecycle, env, ...       the item's own columns
attributes that are not indexed        a scan of the JSON, with the code in the statement's text: as a parameter
                                       SQLite would treat it as unknown and do the work for every row
runs_on:db1, has:runs_on, has:drift    relations and findings
words                                  the full-text index
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import visible
from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Op, Text, Value
from quarterdeck.inventory.catalogue import AttributeSpec, TypeCatalogue
from quarterdeck.inventory.models import Drift, Item, ItemIndex, Kind, Lifecycle, MergeProposal, Relation, State
from quarterdeck.inventory.queries.operands import (
    as_address_range,
    as_number,
    as_pattern,
    as_regex,
    as_time,
    bounds,
)
from quarterdeck.inventory.queries.scanning import scan
from quarterdeck.inventory.queries.wording import text_condition
from quarterdeck.inventory.writing.content import LABEL
from quarterdeck.inventory.writing.derived import TEXT_LENGTH

_COLUMNS = ("env", "provider", "account", "region", "owner", "raw_state")
_LOWER = frozenset({"env", "provider", "region"})
_TIMES = {
    "first_seen": "first_seen",
    "last_seen": "seen__last_seen",
    "updated": "updated_at",
    "updated_at": "updated_at",
}
_HAS = ("drift", "proposal", "label", "ip", "owner", "env")
BUILTIN_FIELDS = (
    "type", "name", "state", "lifecycle", *_COLUMNS, "ip", "id", "first_seen", "last_seen", "updated", "has", "group",
)  # fmt: skip
_NUMERIC = frozenset({Kind.INTEGER.value, Kind.NUMBER.value, Kind.DATETIME.value, Kind.DATE.value})


USUAL_RELATIONS = frozenset(
    {
        "runs_on", "part_of", "depends_on", "uses", "attached_to", "connected_to", "member_of", "located_in", "hosts",
        "stores", "exposes", "owned_by", "backed_by", "routes_to", "contains", "manages", "resolves_to", "built_from",
        "uses_image", "stored_on",
    }
)  # fmt: skip


def relation_types() -> frozenset[str]:
    """Return the relation types that exist, and the usual ones: they are fields of the query language."""
    return USUAL_RELATIONS | frozenset(Relation.objects.order_by().values_list("type", flat=True).distinct())


def label_names(actor: Actor = SYSTEM) -> set[str]:
    """Return the names of the labels of items that `actor` may see: one step per name in the index, however many items
    have it."""
    found: set[str] = set()
    last = LABEL
    rows = ItemIndex.objects.order_by("field").values_list("field", flat=True)
    if allowed(actor, "inventory.view", Item):
        rows = rows.filter(item__in=visible(actor, "inventory.view", Item.objects.all()))
    while len(found) < 5_000:
        name = rows.filter(field__gt=last, field__lt=LABEL + "\U0010ffff").first()
        if name is None:
            break
        found.add(name[len(LABEL) :])
        last = name
    return found


def in_index(**conditions: Any) -> Q:
    """Return the items that have a row in the side index."""
    return Q(pk__in=ItemIndex.objects.filter(**conditions).values("item_id"))


_ID = re.compile(r"#[0-9]{1,18}")


class ItemFields:
    """Fields of items, as `compile_q` asks for them.

    What an item is related or refers to is found by name among the items that `actor` may see: a query must not tell
    the names of others. The scope of a role is nobody's query, and knows all.
    """

    def __init__(self, catalogue: TypeCatalogue, actor: Actor = SYSTEM) -> None:
        self.catalogue = catalogue
        self.actor = actor
        self._special: Mapping[str, Callable[[Match], Q]] = {
            "type": self._type,
            "group": self._group,
            "name": lambda match: self._indexed_text("name", match),
            "primary_ip": self._ip,
            "ip": self._ip,
            "id": self._id,
            "has": self._has,
            "state": lambda match: self._choice("state", State.values, match),
            "lifecycle": lambda match: self._choice("lifecycle", Lifecycle.values, match),
        }

    def everything(self) -> Q:
        return Q()

    def text(self, text: Text) -> Q:
        return text_condition(text)

    def match(self, match: Match) -> Q:
        if match.field in self._special:
            return self._special[match.field](match)
        if match.field in _COLUMNS:
            return self._column(match)
        if match.field in _TIMES:
            return _compare(_TIMES[match.field], match, as_time)
        if match.field in self.catalogue.fields:
            return self._attribute_or_label(match)
        if match.field.startswith(LABEL):
            return self._indexed_text(match.field, match)
        if match.field in USUAL_RELATIONS:
            return self._relation(match)
        if ItemIndex.objects.filter(field=LABEL + match.field).exists():
            return self._indexed_text(LABEL + match.field, match)
        if match.field in relation_types():
            return self._relation(match)
        raise self._unknown(match)

    def _unknown(self, match: Match) -> BadQuery:
        known = [*BUILTIN_FIELDS, *self.catalogue.fields, *relation_types(), *label_names(self.actor)]
        return BadQuery(
            _('There is no field "%(field)s".') % {"field": match.field},
            hint=did_you_mean(match.field, known)
            or _('A label is asked for as label.%(field)s; text with ":" is put in quotes.') % {"field": match.field},
            field=match.field,
            position=match.position,
        )

    def _codes(self, match: Match, allowed: Mapping[str, Any]) -> set[str]:
        """Return the allowed names that the values mean; a name that does not exist is an error, not "none"."""
        found: set[str] = set()
        for value in match.values:
            if value.is_pattern:
                pattern = as_pattern(value)
                found.update(name for name in allowed if pattern.fullmatch(name))
            elif value.text.lower() in allowed:
                found.add(value.text.lower())
            else:
                raise BadQuery(
                    _('%(field)s is never "%(value)s".') % {"field": match.field, "value": value.text[:60]},
                    hint=did_you_mean(value.text, allowed)
                    or _("Use one of %(names)s.") % {"names": ", ".join(list(allowed)[:15])},
                    field=match.field,
                    position=match.position,
                )
        return found

    def _only_equal(self, match: Match) -> None:
        if match.op is not Op.EQ:
            raise BadQuery(
                _("%(field)s cannot be compared with < or >.") % {"field": match.field},
                hint=_("Write %(field)s:value or %(field)s:(a OR b).") % {"field": match.field},
                field=match.field,
                position=match.position,
            )

    def _type(self, match: Match) -> Q:
        if match.op is Op.PRESENT:
            return Q()
        self._only_equal(match)
        codes = self._codes(match, self.catalogue.types)
        return Q(type_id__in=[self.catalogue.types[code].id for code in sorted(codes)])

    def _group(self, match: Match) -> Q:
        self._only_equal(match)
        names = self._codes(match, dict.fromkeys(spec.group for spec in self.catalogue.types.values()))
        return Q(type_id__in=[spec.id for spec in self.catalogue.types.values() if spec.group in names])

    def _choice(self, column: str, allowed: list[str], match: Match) -> Q:
        if match.op is Op.PRESENT:
            return Q()
        self._only_equal(match)
        return Q(**{f"{column}__in": sorted(self._codes(match, dict.fromkeys(allowed)))})

    def _id(self, match: Match) -> Q:
        return _compare("pk", match, as_number)

    def _column(self, match: Match) -> Q:
        column = match.field
        if match.op is Op.PRESENT:
            return ~Q(**{column: ""})
        self._only_equal(match)
        fold: Callable[[str], str] = str.lower if column in _LOWER else str
        plain = [fold(value.text) for value in match.values if not value.is_pattern]
        found = Q(**{f"{column}__in": plain}) if plain else Q(pk__in=[])
        for value in match.values:
            if value.is_pattern:
                found |= (
                    Q(**{f"{column}__iregex": as_regex(value)}) if value.pieces[0] == "" else _like(column, value, fold)
                )
        return found

    def _ip(self, match: Match) -> Q:
        if match.op is Op.PRESENT:
            return Q(primary_ip__isnull=False)
        return _addresses("ip", match)

    def _indexed_text(self, field: str, match: Match) -> Q:
        if match.op is Op.PRESENT:
            return in_index(field=field)
        if match.op is not Op.EQ:
            low, high, strict_low, strict_high = bounds(match, lambda value: value.text.lower())
            return _range(field, "text", low, high, strict_low, strict_high)
        plain = [value.text.lower()[:TEXT_LENGTH] for value in match.values if not value.is_pattern]
        found = _has_text(field, plain)
        for value in match.values:
            if value.is_pattern:
                found |= _index_pattern(field, value)
        return found

    def _attribute_or_label(self, match: Match) -> Q:
        """`tier:web` means the attribute and, where items have one, the label of that name."""
        if not ItemIndex.objects.filter(field=LABEL + match.field).exists():
            return self._attribute(match)
        labelled = self._indexed_text(LABEL + match.field, match)
        try:
            return self._attribute(match) | labelled
        except BadQuery:
            return labelled  # the value is none that the attribute could have

    def _attribute(self, match: Match) -> Q:
        """An attribute of one code may be of different kinds in different types: any of them may match."""
        specs = self.catalogue.fields[match.field]
        found = Q(pk__in=[])
        errors: list[BadQuery] = []
        shapes = {(spec.kind, spec.is_list, spec.indexed, spec.reference_type): spec for spec in specs}
        for spec in shapes.values():
            try:
                one = self._of_kind(spec, match)
            except BadQuery as error:
                errors.append(error)
                continue
            same = [other.type for other in specs if (other.kind, other.indexed) == (spec.kind, spec.indexed)]
            if len(shapes) > 1 and all(same):
                one &= Q(type_id__in=[self.catalogue.types[code].id for code in same])
            found |= one
        if len(errors) == len(shapes):
            raise errors[0]
        return found

    def _of_kind(self, spec: AttributeSpec, match: Match) -> Q:
        if not spec.indexed or spec.kind == Kind.JSON:
            return scan(spec, match)
        if match.op is Op.PRESENT:
            return in_index(field=spec.code)
        if spec.kind == Kind.REFERENCE:
            return self._reference(spec, match)
        if spec.kind in _NUMERIC:
            read = as_time if spec.kind in (Kind.DATETIME, Kind.DATE) else as_number
            return _numbers(spec.code, match, read)
        if spec.kind == Kind.IP:
            return _addresses(spec.code, match)
        return self._indexed_text(spec.code, match)

    def _reference(self, spec: AttributeSpec, match: Match) -> Q:
        self._only_equal(match)
        targets = self._named(match)
        return Q(pk__in=ItemIndex.objects.filter(field=spec.code, number__in=targets).values("item_id"))

    def _relation(self, match: Match) -> Q:
        rows = Relation.objects.filter(type=match.field)
        if match.op is not Op.PRESENT:
            self._only_equal(match)
            rows = rows.filter(dst_id__in=self._named(match))
        return Q(pk__in=rows.values("src_id"))

    def _named(self, match: Match) -> Any:
        """Return the ids of the items that the values name (or number, as `#12`)."""
        ids = [int(value.text[1:]) for value in match.values if _ID.fullmatch(value.text)]
        plain = [value.text.lower() for value in match.values if not value.is_pattern]
        found = Q(field="name", text__in=plain)
        for value in match.values:
            if value.is_pattern:
                found |= Q(field="name") & _text_pattern("text", value)
        if allowed(self.actor, "inventory.view", Item):
            found &= Q(item__in=visible(self.actor, "inventory.view", Item.objects.all()))
        if ids:
            found |= Q(item_id__in=ids, field="name")
        return ItemIndex.objects.filter(found).values("item_id")

    def _has(self, match: Match) -> Q:
        if match.op is Op.PRESENT:
            raise BadQuery(
                _("has: needs the name of a field."),
                hint=_("Write has:owner or has:runs_on."),
                field="has",
                position=match.position,
            )
        self._only_equal(match)
        found = Q(pk__in=[])
        for value in match.values:
            found |= self._has_one(value.text, match)
        return found

    def _has_one(self, name: str, match: Match) -> Q:
        if name == "drift":
            return Q(pk__in=Drift.objects.filter(acknowledged_at=None).values("item_id"))
        if name == "proposal":
            undecided = MergeProposal.objects.filter(decision=MergeProposal.Decision.OPEN)
            return Q(pk__in=undecided.values("first_id")) | Q(pk__in=undecided.values("second_id"))
        if name in ("label", "labels"):
            return Q(pk__in=ItemIndex.objects.filter(field__startswith=LABEL).values("item_id"))
        return self.match(Match(name, Op.PRESENT, (), match.position))


def _text_pattern(column: str, value: Value) -> Q:
    """A pattern that starts with text is a range of the index; any other is a LIKE over the field's rows."""
    pieces = [piece.lower() for piece in value.pieces]
    conditions = Q()
    if pieces[0]:
        conditions &= Q(**{f"{column}__gte": pieces[0], f"{column}__lt": pieces[0] + "\U0010ffff"})
    if len(pieces) > 2 or pieces[-1] or not pieces[0]:
        conditions &= Q(**{f"{column}__regex": as_regex(value)}) if len(pieces) > 2 else _edges(column, pieces)
    return conditions


def _edges(column: str, pieces: list[str]) -> Q:
    return Q(**{f"{column}__endswith": pieces[-1]}) if pieces[-1] else Q(**{f"{column}__isnull": False})


def _has_text(field: str, texts: list[str]) -> Q:
    """One text is asked for as such: by it, pages of lists are read in order (see `paging`)."""
    if len(texts) == 1:
        return in_index(field=field, text=texts[0])
    return in_index(field=field, text__in=texts) if texts else Q(pk__in=[])


def _index_pattern(field: str, value: Value) -> Q:
    return Q(pk__in=ItemIndex.objects.filter(Q(field=field) & _text_pattern("text", value)).values("item_id"))


def _like(column: str, value: Value, fold: Callable[[str], str]) -> Q:
    first = fold(value.pieces[0])
    found = Q(**{f"{column}__gte": first, f"{column}__lt": first + "\U0010ffff"})
    if len(value.pieces) > 2 or value.pieces[-1]:
        found &= Q(**{f"{column}__iregex": as_regex(value)})
    return found


def _range(field: str, column: str, low: Any, high: Any, strict_low: bool, strict_high: bool) -> Q:
    conditions: dict[str, Any] = {"field": field, f"{column}__isnull": False}
    if low is not None:
        conditions[f"{column}__{'gt' if strict_low else 'gte'}"] = low
    if high is not None:
        conditions[f"{column}__{'lt' if strict_high else 'lte'}"] = high
    return in_index(**conditions)


def _numbers(field: str, match: Match, read: Callable[[Value, Match], Any]) -> Q:
    def number(value: Value) -> float:
        found = read(value, match)
        return found.timestamp() if isinstance(found, datetime) else float(found)

    if match.op is Op.EQ:
        return in_index(field=field, number__in=[number(value) for value in match.values])
    return _range(field, "number", *bounds(match, number))


def _compare(column: str, match: Match, read: Callable[[Value, Match], Any]) -> Q:
    if match.op is Op.PRESENT:
        return Q()
    if match.op is Op.EQ:
        return Q(**{f"{column}__in": [read(value, match) for value in match.values]})
    low, high, strict_low, strict_high = bounds(match, lambda value: read(value, match))
    found = Q()
    if low is not None:
        found &= Q(**{f"{column}__{'gt' if strict_low else 'gte'}": low})
    if high is not None:
        found &= Q(**{f"{column}__{'lt' if strict_high else 'lte'}": high})
    return found


def _addresses(field: str, match: Match) -> Q:
    """An address, a network `10.0.0.0/8` or `10.0.*` is a range of the sortable digits in the index."""
    if match.op is Op.BETWEEN or match.op is not Op.EQ:
        low, high, strict_low, strict_high = bounds(match, lambda value: as_address_range(value, match)[0])
        return _range(field, "text", low, high, strict_low, strict_high)
    found = Q(pk__in=[])
    for value in match.values:
        low, high = as_address_range(value, match)
        found |= _range(field, "text", low, high, False, False)
    return found
