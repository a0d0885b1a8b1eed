"""Attributes that refer to items: names become ids, ids are checked, one query for a whole chunk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.grants import allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.catalogue import TypeCatalogue, TypeSpec
from quarterdeck.inventory.models import Item, Lifecycle
from quarterdeck.inventory.writing.content import Complaint, Content

if TYPE_CHECKING:
    from quarterdeck.inventory.writing.chunk import Chunk

Target = tuple[str, str | int]  # type code or "" for any, name or id


def _codes(spec: TypeSpec, content: Content) -> list[str]:
    return [code for code in spec.references if content.get(code) is not None]


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _targets(spec: TypeSpec, content: Content, codes: Iterable[str]) -> Iterable[Target]:
    for code in codes:
        for value in _values(content[code]):
            yield spec.attributes[code].reference_type, value


def find_targets(actor: Actor, targets: set[Target], catalogue: TypeCatalogue) -> dict[Target, list[int]]:
    """Return the live items of each target: by id for numbers, by name (of the type) for text.

    A name finds what the actor may see: whether there is another item of that name is not theirs to learn.
    """
    ids = {key for _type, key in targets if isinstance(key, int)}
    names = {key for _type, key in targets if isinstance(key, str)}
    by_name: dict[str, list[tuple[str, int]]] = defaultdict(list)
    by_id: dict[int, str] = {}
    named = Q(name__in=names) & allowed(actor, "inventory.view", Item)
    rows = Item.objects.filter(Q(pk__in=ids) | named).exclude(lifecycle__in=(Lifecycle.RETIRED, Lifecycle.TRASHED))
    for pk, type_id, name in rows.values_list("id", "type_id", "name"):
        code = catalogue.by_id[type_id].code
        by_id[pk] = code
        by_name[name].append((code, pk))
    found: dict[Target, list[int]] = {}
    for wanted, key in targets:
        candidates = [(by_id[key], key)] if isinstance(key, int) and key in by_id else by_name.get(str(key), [])
        found[(wanted, key)] = [pk for code, pk in candidates if not wanted or code == wanted]
    return found


def replace_names(
    spec: TypeSpec, content: Content, found: dict[Target, list[int]], coming: Container[Target] = ()
) -> tuple[list[Complaint], bool]:
    """Put ids in the place of names; drop and report what is not found or not clear.

    What is not found but `coming` is dropped without a complaint; the second value tells that there was such a name.
    """
    complaints: list[Complaint] = []
    is_postponed = False
    for code in _codes(spec, content):
        attribute = spec.attributes[code]
        ids = []
        for value in _values(content[code]):
            items = found.get((attribute.reference_type, value), [])
            if len(items) == 1:
                ids.append(items[0])
            elif not items and (attribute.reference_type, value) in coming:
                is_postponed = True
            else:
                kind = attribute.reference_type or _("item")
                said = (
                    _('there is no %(type)s "%(name)s"')
                    if not items
                    else _('more than one %(type)s is named "%(name)s"')
                )
                complaints.append((code, said % {"type": kind, "name": str(value)[:60]}))
        if attribute.is_list:
            content[code] = ids
        elif ids:
            content[code] = ids[0]
        else:
            del content[code]
    return complaints, is_postponed


def resolve_content(actor: Actor, spec: TypeSpec, content: Content, catalogue: TypeCatalogue) -> list[Complaint]:
    """Replace the references of one item's values; returns what is wrong with them."""
    codes = _codes(spec, content)
    if not codes:
        return []
    return replace_names(spec, content, find_targets(actor, set(_targets(spec, content, codes)), catalogue))[0]


def resolve_references(chunk: Chunk) -> None:
    """Replace the references of all rows of a chunk. A name that another row of the call is about to make is left out
    for now: the row comes again once it is there, so that order does not matter and circles are no problem."""
    rows = [(row, _codes(row.spec, row.content)) for row in chunk.rows]
    targets = {target for row, codes in rows for target in _targets(row.spec, row.content, codes)}
    if not targets:
        return
    found = find_targets(chunk.pen.actor, targets, chunk.catalogue)
    good = []
    for row, _codes_of_row in rows:
        complaints, row.is_postponed = replace_names(row.spec, row.content, found, chunk.coming)
        for complaint in complaints:
            (chunk.fail if chunk.is_by_people else chunk.warn)(row.number, complaint)
        if not complaints or not chunk.is_by_people:
            good.append(row)
    chunk.rows = good
