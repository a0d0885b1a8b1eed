"""The one write path: what sources, importers and connectors found becomes items. No signals, no per-object save."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.collector import collector_paused
from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.actions.sync import finish_sync
from quarterdeck.inventory.catalogue import HOT_FIELDS, TypeCatalogue, catalogue
from quarterdeck.inventory.found import Applied, Found, RowError
from quarterdeck.inventory.models import ChangeSet, Item, ItemSeen, MergeProposal, Sighting
from quarterdeck.inventory.writing import chunk as steps
from quarterdeck.inventory.writing import store
from quarterdeck.inventory.writing.chunk import Chunk
from quarterdeck.inventory.writing.drafts import Pen
from quarterdeck.inventory.writing.relate import Wanted, write_relations
from quarterdeck.inventory.writing.saving import save
from quarterdeck.inventory.writing.statistics import refresh_statistics

# Large enough that the fixed number of statements per chunk does not matter, small enough that the write lock of
# SQLite is free again after about a second.
CHUNK_ROWS = 2000


@action("inventory.edit", atomic=False)
def apply(
    actor: Actor,
    batch: Sequence[Found],
    source: str,
    *,
    scope: str = "",
    complete: bool = False,
    reason: str = "",
    dry_run: bool = False,
    may_create: bool = True,
    key: str = "",
    continues: int | None = None,
) -> Applied:
    """Make the inventory say what `source` found, in chunks that each are one transaction with its audit record.

    `scope` is the part of the world that the source looked at ("account:region"); with `complete` the batch is all of
    it, and what is not in it goes missing. `key` is a column or an indexed attribute by which rows match existing
    items, for imports. `continues` is the change set of an earlier call that this one belongs to. A dry run does
    everything and takes it back. `errors` are rows that were not taken, `warnings` rows taken in part. Raises Denied,
    BadInput for an unusable key, Conflict when another writer came between.
    """
    types = catalogue()
    _check_key(key, {found.type for found in batch}, types)
    pen = Pen(actor, source, reason, now(), ChangeSet.objects.get(pk=continues) if continues else None)
    applied = Applied()
    seen: set[tuple[str, str]] = set()
    wanted: list[Wanted] = []
    postponed: list[tuple[int, Found]] = []
    coming = _names_of(batch)
    for start in range(0, len(batch), CHUNK_ROWS):
        rows = _first_of_each(batch[start : start + CHUNK_ROWS], start, seen, applied)
        part = Chunk(source[:64], scope[:128], key, may_create, types, pen, applied, coming=coming)
        apply_chunk(actor, part, rows, dry_run)
        wanted.extend(part.wanted)
        postponed.extend((row.number, row.found) for row in part.rows if row.is_postponed)
    for start in range(0, 0 if dry_run else len(postponed), CHUNK_ROWS):
        again = Applied(errors=applied.errors, warnings=applied.warnings)
        part = Chunk(source[:64], scope[:128], key, may_create, types, pen, again)
        apply_chunk(actor, part, postponed[start : start + CHUNK_ROWS], dry_run)
        wanted.extend(part.wanted)
    for start in range(0, len(wanted), CHUNK_ROWS):
        if not dry_run:
            relate_chunk(actor, wanted[start : start + CHUNK_ROWS], source, scope, types, pen, applied)
    applied.change_set_id = pen.change_set.pk if pen.change_set else None
    if not dry_run:
        refresh_statistics(applied.created + applied.updated)
    if complete and not dry_run:
        finish_sync(actor, source, scope, pen.at, len(batch), applied)
    return applied


def _names_of(batch: Sequence[Found]) -> set[tuple[str, str | int]]:
    """Return `(type, name)` of all records, and each name under "" for references to any type."""
    return {(code, found.name or found.external_id) for found in batch for code in (found.type, "")}


def _check_key(key: str, codes: set[str], types: TypeCatalogue) -> None:
    if not key or key in HOT_FIELDS:
        return
    for code in codes & types.types.keys():
        spec = types.types[code].attributes.get(key)
        if spec is None or not spec.indexed:
            allowed = [name for name, one in types.types[code].attributes.items() if one.indexed]
            raise BadInput(
                _('"%(key)s" of type %(type)s cannot be a match key.') % {"key": key, "type": code},
                hint=did_you_mean(key, ["name", *allowed])
                or _("Use name, or an indexed attribute: %(names)s.") % {"names": ", ".join(allowed[:12])},
                field="key",
            )


def _first_of_each(
    batch: Sequence[Found], start: int, seen: set[tuple[str, str]], applied: Applied
) -> list[tuple[int, Found]]:
    """Return `(row number, record)`; a key that an earlier row of the call has is an error of the later row."""
    rows = []
    for position, found in enumerate(batch, start + 1):
        number = position if found.row is None else found.row
        if (found.type, found.external_id) in seen:
            message = _('the key "%(key)s" stands in more than one row') % {"key": found.external_id[:60]}
            applied.errors.append(RowError(number, "", message))
        else:
            seen.add((found.type, found.external_id))
            rows.append((number, found))
    return rows


@action("inventory.edit")
@collector_paused()
def apply_chunk(actor: Actor, part: Chunk, rows: Sequence[tuple[int, Found]], dry_run: bool) -> None:
    """Write one chunk of `apply` in one transaction; a dry run is rolled back."""
    _lock(part.source, part.scope)
    steps.take_in(part, rows)
    steps.check(part)
    steps.find_items(part)
    _require_all(actor, {row.item_id for row in part.rows if row.item_id})
    steps.draft(part)
    steps.settle(part)
    try:
        with transaction.atomic():
            _write(actor, part)
            if dry_run:
                transaction.set_rollback(True)
        if dry_run:
            part.pen.change_set = None
            part.applied.item_ids.clear()
    except IntegrityError as error:
        raise Conflict(
            _("Another writer changed the same items at the same time."), hint=_("Try again: nothing was written.")
        ) from error


def _write(actor: Actor, part: Chunk) -> None:
    save(part.drafts, part.pen)
    _require_all(actor, {draft.item.pk for draft in part.drafts if draft.is_changed})
    _touch(part)
    _propose(part)
    part.applied.item_ids.extend(row.draft.item.pk for row in part.rows if row.draft is not None)
    part.applied.item_ids.extend(item for _observation, item in part.unchanged)
    part.wanted = [
        Wanted(
            row.number, row.draft.item.pk, row.spec.id, row.found.external_id, row.content_hash,
            tuple(row.found.relations),
        )
        for row in part.rows
        if row.draft is not None and (row.found.relations or row.stored is not None)
    ]  # fmt: skip
    _audit(actor, part)


def _require_all(actor: Actor, ids: set[int]) -> None:
    if ids and actor.kind is not ActorKind.SYSTEM:
        require(actor, "inventory.edit", Item.objects.filter(pk__in=ids))


def _lock(source: str, scope: str) -> None:
    """Let two passes of one source over one scope run after each other; SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"inventory:{source}:{scope}"])


def _touch(part: Chunk) -> None:
    """Note that unchanged things were seen again."""
    at: datetime = part.pen.at
    if part.unchanged:
        Sighting.objects.filter(pk__in=[pk for pk, _item in part.unchanged]).update(seen_at=at, misses=0)
    items = [item for _observation, item in part.unchanged]
    items.extend(draft.item.pk for draft in part.drafts if not draft.is_new)
    if items:
        ItemSeen.objects.filter(pk__in=items).update(last_seen=at)


def _propose(part: Chunk) -> None:
    pairs = {
        (min(row.draft.item.pk, one.item_id), max(row.draft.item.pk, one.item_id)): one.keys
        for row in part.rows
        if row.draft is not None
        for one in row.proposals
        if one.item_id != row.draft.item.pk
    }
    if not pairs:
        return
    known = set(
        MergeProposal.objects.filter(first_id__in={first for first, _second in pairs}).values_list(
            "first_id", "second_id"
        )
    )
    store.insert(
        MergeProposal,
        ["first", "second", "evidence", "decision", "created_at"],
        (
            (*pair, [{"kind": kind, "value": value} for kind, value in keys], "open", part.pen.at)
            for pair, keys in pairs.items()
            if pair not in known
        ),
    )


def _audit(actor: Actor, part: Chunk) -> None:
    created = sum(draft.is_new for draft in part.drafts)
    updated = sum(draft.is_changed and not draft.is_new for draft in part.drafts)
    if created or updated:
        record(
            actor,
            "inventory.apply",
            ("change_set", str(part.pen.change_set_id()), part.source),
            f"{part.source} {part.scope}: {created} created, {updated} updated".replace(" :", ":"),
            after={"created": created, "updated": updated, "source": part.source, "scope": part.scope},
            reason=part.pen.reason,
        )


@action("inventory.edit")
def relate_chunk(
    actor: Actor, wanted: Sequence[Wanted], source: str, scope: str, types: TypeCatalogue, pen: Pen, applied: Applied
) -> None:
    """Write the relations of one chunk of `apply`, once all items of the call are there."""
    related, warnings = write_relations(wanted, source, scope, types, pen)
    applied.warnings.extend(warnings)
    if related.added or related.removed:
        _require_all(actor, related.item_ids or set())
        record(
            actor,
            "inventory.relate",
            ("change_set", str(pen.change_set_id()), source),
            f"{source}: {related.added} relations added, {related.removed} removed",
            after={"added": related.added, "removed": related.removed},
        )
