"""One chunk of records on its way into the inventory, all steps in order. `actions.apply` cuts a batch into chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.catalogue import TypeCatalogue, TypeSpec
from quarterdeck.inventory.found import STRENGTHS, Applied, Found, RowError
from quarterdeck.inventory.models import Item, ItemIndex, Lifecycle, Observation
from quarterdeck.inventory.writing import secret
from quarterdeck.inventory.writing.content import LABEL, Complaint, Content, content_of, hash_of
from quarterdeck.inventory.writing.derived import unique_value
from quarterdeck.inventory.writing.drafts import Draft, Pen, Said, drafts_of, new_draft
from quarterdeck.inventory.writing.effective import IMPORT, PEOPLE
from quarterdeck.inventory.writing.identify import Evidence, Verdict, identify, normal
from quarterdeck.inventory.writing.references import resolve_references
from quarterdeck.inventory.writing.relate import Wanted
from quarterdeck.inventory.writing.saving import taken


@dataclass(slots=True)
class Row:
    """A record with what was found out about it. `stored` is the id of the observation that it made last time."""

    number: int
    found: Found
    spec: TypeSpec
    content_hash: bytes
    content: Content = field(default_factory=dict)
    identities: list[list[str]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    item_id: int | None = None
    stored: int | None = None
    draft: Draft | None = None
    proposals: list[Evidence] = field(default_factory=list)
    is_postponed: bool = False


@dataclass(slots=True)
class Chunk:
    """The state of one chunk. `unchanged` are ids of observations and items that only need a new time."""

    source: str
    scope: str
    key: str
    may_create: bool
    catalogue: TypeCatalogue
    pen: Pen
    applied: Applied
    rows: list[Row] = field(default_factory=list)
    unchanged: list[tuple[int, int]] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    coming: Container[tuple[str, str | int]] = ()

    @property
    def is_by_people(self) -> bool:
        """Records made by people are taken whole or not at all and need every required attribute. Records of sources
        are taken without the parts that are wrong: one odd value must not hide a machine."""
        return self.source in PEOPLE

    def fail(self, number: int, complaint: Complaint) -> None:
        self.applied.errors.append(RowError(number, *complaint))

    def warn(self, number: int, complaint: Complaint) -> None:
        self.applied.warnings.append(RowError(number, *complaint))


def take_in(chunk: Chunk, founds: Sequence[tuple[int, Found]]) -> None:
    """Recognise types and repeated keys, and set aside what has not changed since last time."""
    seen: set[tuple[str, str]] = set()
    rows: list[Row] = []
    for number, found in founds:
        spec = chunk.catalogue.types.get(found.type)
        if spec is None:
            near = did_you_mean(found.type, chunk.catalogue.types)
            chunk.fail(
                number,
                ("type", _('there is no type "%(type)s"') % {"type": found.type[:60]} + (f"; {near}" if near else "")),
            )
        elif not found.external_id or len(found.external_id) > 255:
            chunk.fail(number, ("", _("the record has no key, or one of more than 255 characters")))
        elif (found.type, found.external_id) in seen:
            chunk.fail(
                number, ("", _('the key "%(key)s" stands in more than one row') % {"key": found.external_id[:60]})
            )
        else:
            seen.add((found.type, found.external_id))
            rows.append(Row(number, found, spec, hash_of(found, chunk.catalogue)))
    _compare(chunk, rows)


def _compare(chunk: Chunk, rows: list[Row]) -> None:
    stored = {
        (key, type_id): (pk, item, bytes(content_hash), gone_at, lifecycle)
        for pk, item, type_id, key, content_hash, gone_at, lifecycle in Observation.objects.filter(
            source=chunk.source,
            scope=chunk.scope,
            type_id__in={row.spec.id for row in rows},
            external_id__in=[row.found.external_id for row in rows],
        ).values_list("id", "item_id", "type_id", "external_id", "content_hash", "gone_at", "item__lifecycle")
    } if rows else {}  # fmt: skip
    # What is in the trash is dead to files, whose rows make it anew, and alive to sources, which see it day by day.
    alive = {Lifecycle.ACTIVE.value} if chunk.source == IMPORT else {Lifecycle.ACTIVE.value, Lifecycle.TRASHED.value}
    for row in rows:
        known = stored.get((row.found.external_id, row.spec.id))
        if known is not None and known[2:4] == (row.content_hash, None) and known[4] in alive:
            chunk.unchanged.append((known[0], known[1]))
        else:
            row.stored, row.item_id = known[:2] if known else (None, row.found.item_id)
            chunk.rows.append(row)


def check(chunk: Chunk) -> None:
    """Validate the content of every row that is left."""
    good = []
    for row in chunk.rows:
        row.content, complaints = content_of(row.found, row.spec)
        complaints.extend(_take_identities(row))
        _take_secrets(row)
        if complaints and chunk.is_by_people:
            for complaint in complaints:
                chunk.fail(row.number, complaint)
        else:
            for complaint in complaints:
                chunk.warn(row.number, complaint)
            good.append(row)
    chunk.rows = good
    resolve_references(chunk)


def _take_identities(row: Row) -> list[Complaint]:
    try:
        row.identities = normal(row.found.identities)
    except KeyError as error:
        kind = str(error.args[0])
        near = did_you_mean(kind, STRENGTHS) or ", ".join(STRENGTHS)
        return [("identities", _('there is no kind of identity "%(kind)s"') % {"kind": kind[:40]} + f"; {near}")]
    return []


def _take_secrets(row: Row) -> None:
    for code in row.spec.secrets:
        plain = row.content.get(code)
        if isinstance(plain, str) and not secret.is_digest(plain):
            row.secrets[code] = plain
            row.content[code] = secret.digest(plain)


def find_items(chunk: Chunk) -> None:
    """Find the item of every row: by the source's own key, by the match key of an import, by identities."""
    if chunk.key:
        _find_by_key(chunk)
    rest = [row for row in chunk.rows if row.item_id is None]
    if rest and not chunk.key:
        verdicts = identify([(row.found, row.spec.id, row.identities) for row in rest], chunk.source)
        for row, verdict in zip(rest, verdicts, strict=True):
            _take_verdict(row, verdict)


def _take_verdict(row: Row, verdict: Verdict) -> None:
    row.item_id, row.proposals = verdict.item_id, verdict.proposals


def _find_by_key(chunk: Chunk) -> None:
    """An import's rows match existing items of their type by a column or an indexed attribute, whoever found them."""
    values: dict[int, str] = {}
    for position, row in enumerate(chunk.rows):
        value = row.content.get(chunk.key)
        if value is None or row.found.item_id:
            continue
        attribute = row.spec.attributes.get(chunk.key)
        values[position] = value if attribute is None else unique_value(attribute, value)
    holders: dict[tuple[int, str], set[int]] = {}
    types = {row.spec.id for row in chunk.rows}
    for item, type_id, value in _items_by(chunk.key, types, set(values.values())):
        holders.setdefault((type_id, value), set()).add(item)
    matched = Counter[int]()
    good = []
    for position, row in enumerate(chunk.rows):
        items = holders.get((row.spec.id, values.get(position, "")), set())
        row.item_id = next(iter(items)) if len(items) == 1 else row.item_id if not values.get(position) else None
        matched[row.item_id or 0] += 1
        if len(items) > 1:
            chunk.fail(
                row.number,
                (
                    chunk.key,
                    _("%(count)d items have this value: the row matches more than one") % {"count": len(items)},
                ),
            )
        elif row.item_id and matched[row.item_id] > 1:
            chunk.fail(row.number, (chunk.key, _("an earlier row has the same value")))
        else:
            good.append(row)
    chunk.rows = good


def _items_by(key: str, types: set[int], values: set[str]) -> list[tuple[int, int, str]]:
    alive = Q(lifecycle__in=(Lifecycle.ACTIVE, Lifecycle.MISSING, Lifecycle.ABSENT), type_id__in=types)
    if key in ("name", "primary_ip"):
        rows = Item.objects.filter(alive, **{f"{key}__in": values}).values_list("id", "type_id", key)
        return [(item, type_id, value) for item, type_id, value in rows]
    found = ItemIndex.objects.filter(field=key, text__in=[value[:200] for value in values])
    found = found.filter(item__lifecycle__in=(Lifecycle.ACTIVE, Lifecycle.MISSING, Lifecycle.ABSENT))
    return [
        (item, type_id, text or "")
        for item, type_id, text in found.filter(item__type_id__in=types).values_list("item_id", "item__type_id", "text")
    ]


def draft(chunk: Chunk) -> None:
    """Make a draft for every row and put the row's word into it."""
    ids = {row.item_id for row in chunk.rows if row.item_id is not None}
    drafts = drafts_of(Item.objects.filter(pk__in=ids), chunk.catalogue) if ids else {}
    for row in chunk.rows:
        if row.item_id is not None and row.item_id in drafts:
            row.draft = drafts[row.item_id]
        elif chunk.may_create and not row.found.gone:
            row.draft = new_draft(row.spec, chunk.pen.at)
        elif not row.found.gone:
            chunk.fail(row.number, ("", _("no item matches, and this source may not create items")))
        if row.draft is not None:
            row.draft.row = row.number
            _put(chunk, row, row.draft)
    chunk.rows = [row for row in chunk.rows if row.draft is not None]


def _put(chunk: Chunk, row: Row, into: Draft) -> None:
    """Put what the row says into the draft: as an observation, or over what people decided before."""
    content = dict(row.content)
    if chunk.is_by_people:
        _put_by_people(chunk, row, into, content)
    key = (chunk.source, chunk.scope, row.found.external_id)
    if chunk.source == IMPORT:
        # Files may find an item by different keys; what they say of it is one record, the last file's word counting.
        key = next((known for known in into.said if known[0] == IMPORT), key)
    before = into.said.get(key)
    stored = before.id if before else row.stored
    if chunk.source == IMPORT and into.imported is None:
        into.imported = before.content if before else {}
    if before is not None and chunk.source == IMPORT:
        # A file with fewer columns says nothing of the others.
        content = {**before.content, **content}
    pending = bool(row.found.relations) or row.is_postponed
    into.said[key] = Said(
        *key, content, row.identities, b"" if pending else row.content_hash,
        before.first_seen if before else chunk.pen.at, chunk.pen.at, id=stored,
        is_live=not row.found.gone, is_changed=True,
    )  # fmt: skip
    into.secrets.update(row.secrets)
    if row.found.gone:
        others = any(one.is_live for one in into.said.values())
        into.lifecycle = into.item.lifecycle if others else Lifecycle.ABSENT.value
    elif into.item.lifecycle != Lifecycle.TRASHED:
        into.lifecycle = Lifecycle.ACTIVE.value


def _put_by_people(chunk: Chunk, row: Row, into: Draft, content: Content) -> None:
    """A value set by hand is replaced by the file's; one that a source observes stays, and the row is told so."""
    observers = {one.source for one in into.said.values() if one.is_live and one.source not in PEOPLE}
    for name, value in row.content.items():
        if into.desired.get(name) is not None:
            into.desired[name] = value
            content.pop(name)
        elif observers and name in into.before and into.before[name] != value and not name.startswith(LABEL):
            attribute = into.spec.attributes.get(name)
            if attribute is None or IMPORT not in attribute.authority:
                chunk.warn(
                    row.number,
                    (
                        name,
                        _("kept as %(source)s observes it; edit the item to set it by hand")
                        % {"source": ", ".join(sorted(observers))},
                    ),
                )


def settle(chunk: Chunk) -> None:
    """Work out every draft, refuse those that break a rule, and count."""
    drafts = list({id(row.draft): row.draft for row in chunk.rows if row.draft is not None}.values())
    for one in drafts:
        one.work_out()
    refused: set[int] = set()
    if chunk.is_by_people:
        for one in drafts:
            lacking = [code for code in one.spec.required if code not in one.after]
            for code in lacking:
                chunk.fail(one.row, (code, _("a value is required")))
            if lacking:
                refused.add(id(one))
    rest = [one for one in drafts if id(one) not in refused]
    for position, complaint in taken(rest).items():
        chunk.fail(rest[position].row, complaint)
        refused.add(id(rest[position]))
    chunk.drafts = [one for one in rest if id(one) not in refused]
    chunk.rows = [row for row in chunk.rows if row.draft is not None and id(row.draft) not in refused]
    for one in chunk.drafts:
        chunk.applied.created += one.is_new
        chunk.applied.updated += one.is_changed and not one.is_new
        chunk.applied.unchanged += not one.is_changed
        chunk.applied.gone += one.lifecycle == Lifecycle.ABSENT and one.item.lifecycle != Lifecycle.ABSENT
    chunk.applied.unchanged += len(chunk.unchanged)
    if chunk.source == IMPORT:
        # A file that says what is known already leaves no trace: its record would keep a vanished item alive.
        chunk.drafts = [one for one in chunk.drafts if one.is_changed or _is_known_to_imports(one)]


def _is_known_to_imports(draft: Draft) -> bool:
    return any(one.source == IMPORT and one.id is not None for one in draft.said.values())
