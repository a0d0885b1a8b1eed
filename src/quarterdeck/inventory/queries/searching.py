"""Ctrl-K search and the completions of the query box."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from quarterdeck.access.checks import visible
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, ItemIndex, Kind, Lifecycle, State
from quarterdeck.inventory.queries.items import HIDDEN
from quarterdeck.inventory.queries.selecting import BUILTIN_FIELDS, USUAL_RELATIONS, label_names
from quarterdeck.inventory.queries.wording import by_word_index, matching
from quarterdeck.inventory.writing.content import LABEL
from quarterdeck.inventory.writing.derived import address_key, words

_MAX_WORDS = 12
_NEWEST = 2_000


def search(actor: Actor, text: str, limit: int = 20) -> list[Item]:
    """Return the items that the words lead to, best first: the exact name, names that start so, then anything.

    Each word may stand anywhere in the item and is matched from its start; Chinese text by any part of it.
    """
    found = words(text)[:_MAX_WORDS]
    if not found:
        return []
    limit = max(1, min(limit, 100))
    start = text.strip().lower()[:200]
    exact = _ids(Q(text=start) | Q(text=_address(start)), actor, limit)
    ids = dict.fromkeys(exact)
    if len(ids) < limit:
        ids.update(dict.fromkeys(_ids(Q(text__gt=start, text__lt=start + "\U0010ffff"), actor, limit)))
    if len(ids) < limit:
        ids.update(dict.fromkeys(_anywhere(actor, text, limit)))
    rows = Item.objects.select_related("type", "seen").in_bulk(list(ids)[:limit])
    return [rows[pk] for pk in list(ids)[:limit] if pk in rows]


def _address(text: str) -> str:
    try:
        return address_key(text)
    except ValueError:
        return "\x01"  # stands in no index


def _seen(actor: Actor) -> QuerySet[Item]:
    return visible(actor, "inventory.view", Item.objects.exclude(lifecycle__in=HIDDEN))


def _ids(condition: Q, actor: Actor, limit: int) -> list[int]:
    """Return the first ids by name or address; `limit` names are read before the actor's scope is asked."""
    rows = ItemIndex.objects.filter(condition, field__in=("name", "ip")).order_by("text", "item_id")
    ids = list(rows.values_list("item_id", flat=True)[: limit * 5])
    seen = set(_seen(actor).filter(pk__in=ids).values_list("pk", flat=True))
    return [pk for pk in ids if pk in seen][:limit]


def _anywhere(actor: Actor, text: str, limit: int) -> list[int]:
    """Return the newest items with the words. Frequent words are found among the newest of all. For rare ones
    PostgreSQL, which takes every prefix for frequent, must ask the words' index: it would walk through all items."""
    found = _seen(actor).filter(_all_words(text)).order_by("-pk").values_list("pk", flat=True)
    newest = Item.objects.order_by("-pk").values_list("pk", flat=True)[_NEWEST : _NEWEST + 1].first()
    near = list(found.filter(pk__gt=newest or 0)[:limit])
    if len(near) == limit or newest is None:
        return near
    with by_word_index():
        return list(found[:limit])


def _all_words(text: str) -> Q:
    """Every part between spaces is a phrase whose last word may be unfinished."""
    condition = Q()
    for part in text.split()[:_MAX_WORDS]:
        found = words(part)
        if found:
            condition &= matching(found, is_prefix=True)
    return condition


@dataclass(frozen=True, slots=True)
class Completion:
    """What may stand at the cursor: `text` replaces the characters from `start` to `end`."""

    text: str
    start: int
    end: int
    kind: str
    hint: str = ""


# Matched from the cursor backwards: a search for an end would begin anew at every character.
_TOKEN = re.compile(r'[^\s()"]*')
_OPEN_FIELD = re.compile(r"[^()]*\(:([\w.\-/]+)")


def completions(actor: Actor, text: str, cursor: int | None = None, limit: int = 20) -> list[Completion]:
    """Return completions at `cursor` (characters from 0; None is the end): fields, then values of the field."""
    cursor = len(text) if cursor is None else max(0, min(cursor, len(text)))
    token = _TOKEN.match(text[:cursor][::-1])
    start = cursor - (token.end() if token else 0)
    typed = text[start:cursor]
    if typed.startswith("-"):
        start, typed = start + 1, typed[1:]
    field, colon, value = typed.partition(":")
    if not colon:
        open_field = _OPEN_FIELD.match(text[:start][::-1])
        if open_field:
            return _value_completions(actor, open_field[1][::-1].lstrip("-"), typed, start, cursor, limit)
        return _field_completions(actor, typed, start, cursor, limit)
    return _value_completions(actor, field, value, start + len(field) + 1, cursor, limit)


def _field_completions(actor: Actor, typed: str, start: int, end: int, limit: int) -> list[Completion]:
    fields = catalogue().fields
    names: dict[str, tuple[str, str]] = dict.fromkeys(BUILTIN_FIELDS, ("field", ""))
    names.update((code, ("attribute", specs[0].title)) for code, specs in fields.items())
    names.update((name, ("relation", "")) for name in USUAL_RELATIONS)
    names.update((LABEL + name, ("label", "")) for name in label_names(actor))
    low = typed.lower()
    near = [name for name in names if name.startswith(low)] + [name for name in names if low and low in name[1:]]
    return [Completion(f"{name}:", start, end, *names[name]) for name in dict.fromkeys(near)][:limit]


def _value_completions(actor: Actor, field: str, typed: str, start: int, end: int, limit: int) -> list[Completion]:
    low = typed.lower().lstrip('"<>=')
    values = [value for value in _known_values(field) if value.lower().startswith(low)]
    if not values:
        values = _stored_values(actor, field, low, limit)
    return [Completion(_quoted(value), start, end, "value") for value in values[:limit]]


def _quoted(value: str) -> str:
    return (
        value
        if re.fullmatch(r"[^\s()\"\\\[\]<>*]+", value)
        else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def _known_values(field: str) -> Iterable[str]:
    types = catalogue()
    if field == "type":
        return sorted(types.types)
    if field == "group":
        return sorted({spec.group for spec in types.types.values()})
    if field in ("state", "lifecycle"):
        return (State if field == "state" else Lifecycle).values
    if field == "has":
        return ["drift", "proposal", "label", *BUILTIN_FIELDS[7:9], *sorted(USUAL_RELATIONS)]
    specs = types.fields.get(field, ())
    if any(spec.kind == Kind.BOOLEAN for spec in specs):
        return ["true", "false"]
    return [choice for spec in specs for choice in spec.choices]


def _stored_values(actor: Actor, field: str, low: str, limit: int) -> list[str]:
    """Return stored values that start with `low`: one step per value in the index."""
    if field in ("env", "provider", "region", "account", "owner"):
        rows = _seen(actor).filter(**{f"{field}__istartswith": low}).exclude(**{field: ""}).order_by(field)
        return list(rows.values_list(field, flat=True).distinct()[:limit])
    name = "name" if field in USUAL_RELATIONS else field
    if name not in catalogue().fields and name != "name" and not name.startswith(LABEL):
        name = LABEL + name
    found: list[str] = []
    values = ItemIndex.objects.filter(field=name, text__startswith=low, item__in=_seen(actor)).order_by("text")
    last = ""
    while len(found) < limit:
        value = values.filter(text__gt=last).values_list("text", flat=True).first()
        if value is None:
            break
        found.append(value)
        last = value
    return found
