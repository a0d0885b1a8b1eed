"""Edits of items by people: what they set is the wish (`desired`), kept apart from what sources observe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound, Stale
from quarterdeck.inventory.catalogue import TypeSpec, catalogue
from quarterdeck.inventory.models import Item, Kind, Lifecycle
from quarterdeck.inventory.writing import secret
from quarterdeck.inventory.writing.content import LABEL, Complaint, Content, checked
from quarterdeck.inventory.writing.drafts import Draft, Pen, drafts_of, new_draft
from quarterdeck.inventory.writing.effective import MANUAL
from quarterdeck.inventory.writing.references import resolve_content
from quarterdeck.inventory.writing.saving import save, taken

MAX_BULK = 100_000
BATCH_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one call changed: the items, and the change set by which `revert` takes it back (None for no change)."""

    ids: list[int]
    change_set_id: int | None

    @property
    def count(self) -> int:
        return len(self.ids)


def flat(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes with `labels: {"role": "web"}` and `attributes: {...}` written flat, `label.role`."""
    result: dict[str, Any] = {}
    for name, value in changes.items():
        if name == "labels" and isinstance(value, Mapping):
            result.update((LABEL + str(label), text) for label, text in value.items())
        elif name == "attributes" and isinstance(value, Mapping):
            result.update(value)
        else:
            result[name] = None if value == "" else value
    return result


def _valid(actor: Actor, spec: TypeSpec, values: Mapping[str, Any]) -> tuple[Content, dict[str, str]]:
    """Return checked values and the plain secrets among them; raises BadInput that names every wrong field."""
    content, complaints = checked(spec, values)
    complaints.extend(resolve_content(actor, spec, content, catalogue()))
    secrets = {}
    for code in spec.secrets:
        value = content.get(code)
        if not isinstance(value, str):
            continue
        if secret.is_digest(value):
            del content[code]  # what a form showed in the secret's place came back: nothing was typed
        else:
            secrets[code] = value
            content[code] = secret.digest(value)
    _raise_for(complaints)
    return content, secrets


def _raise_for(complaints: Sequence[Complaint]) -> None:
    if complaints:
        text = "; ".join(f"{field}: {message}" if field else message for field, message in complaints)
        raise BadInput(text, hint=_("Correct the named fields and send again."), field=complaints[0][0])


def _require_values(draft: Draft) -> None:
    _raise_for(
        [
            (code, _("a value is required"))
            for code, spec in draft.spec.attributes.items()
            if spec.required and code not in draft.after
        ]
    )


def save_checked(drafts: Sequence[Draft], pen: Pen) -> None:
    """Save drafts of people. Raises Conflict for a unique value that another item has."""
    complaints = list(taken(drafts).values())
    if complaints:
        raise Conflict(
            "; ".join(f"{field}: {message}" for field, message in complaints[:5]),
            hint=_("Choose another value, or edit the item that has it."),
            field=complaints[0][0],
        )
    try:
        with transaction.atomic():
            save(drafts, pen)
    except IntegrityError as error:
        raise Conflict(_("Another writer took the same value at the same time."), hint=_("Try again.")) from error


@action("inventory.edit")
def create_item(
    actor: Actor,
    type: str,  # noqa: A002 - the word that callers know
    name: str,
    values: Mapping[str, Any] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    relations: Iterable[tuple[str, int]] = (),
    reason: str = "",
) -> Item:
    """Create an item by hand. `values` are attributes and columns; `relations` is `[("runs_on", item id)]`.

    Raises BadInput that names the wrong fields, Conflict for a taken unique value, Denied.
    """
    from quarterdeck.inventory.actions.relations import relate

    spec = catalogue().type(type)
    if not name.strip():
        raise BadInput(_("An item needs a name."), hint=_("Give the name by which people know it."), field="name")
    wanted = {**flat(values or {}), **flat({"labels": labels or {}}), "name": name}
    content, secrets = _valid(actor, spec, {field: value for field, value in wanted.items() if value is not None})
    pen = Pen(actor, MANUAL, reason, now())
    draft = new_draft(spec, pen.at)
    draft.desired, draft.secrets = content, secrets
    draft.work_out()
    _require_values(draft)
    save_checked([draft], pen)
    require(actor, "inventory.edit", draft.item)
    record(actor, "inventory.create", draft.item, spec.code, after=draft.after, reason=reason)
    for kind, target in relations:
        relate(actor, draft.item, kind, _get(target))
    return draft.item


def _get(pk: int) -> Item:
    item = Item.objects.filter(pk=pk).first()
    if item is None:
        raise NotFound(_("There is no item %(id)d.") % {"id": pk}, hint=_("It may have been purged or merged."))
    return item


@action("inventory.edit")
def update_item(
    actor: Actor, item: Item | int, changes: Mapping[str, Any], *, if_version: int | None = None, reason: str = ""
) -> Item:
    """Set values by hand; None takes a value back, so that what sources observe counts again.

    `changes` is `{"owner": "ops", "cpu_count": 8, "label.role": "web"}`. Raises Stale when `if_version` is given and
    the item has another version, BadInput, Conflict, Denied.
    """
    pk = item if isinstance(item, int) else item.pk
    stored = Item.objects.select_for_update().filter(pk=pk).first() or _get(pk)
    require(actor, "inventory.edit", stored)
    if if_version is not None and stored.version != if_version:
        raise Stale(
            _('"%(name)s" was changed by somebody else: it has version %(found)d, not %(expected)d.')
            % {"name": stored.name, "found": stored.version, "expected": if_version},
            hint=_("Load it again and repeat the change."),
        )
    draft = drafts_of([stored], catalogue())[stored.pk]
    pen = Pen(actor, MANUAL, reason, now())
    edit(actor, draft, changes)
    draft.work_out()
    _require_values(draft)
    if not draft.is_changed:
        return stored
    before = dict(draft.before)
    save_checked([draft], pen)
    require(actor, "inventory.edit", draft.item)
    fields = sorted(name for name in before.keys() | draft.after.keys() if before.get(name) != draft.after.get(name))
    record(
        actor, "inventory.update", draft.item, ", ".join(fields)[:200],
        before={name: before.get(name) for name in fields}, after={name: draft.after.get(name) for name in fields},
        reason=reason,
    )  # fmt: skip
    return draft.item


def edit(actor: Actor, draft: Draft, changes: Mapping[str, Any]) -> None:
    """Put changes into the draft's wishes. Raises BadInput."""
    _put(draft, *_valid(actor, draft.spec, flat(changes)))


def _put(draft: Draft, content: Content, secrets: dict[str, str]) -> None:
    if content.get("name", "") is None:
        raise BadInput(_("An item needs a name."), hint=_("Give the name by which people know it."), field="name")
    desired = dict(draft.desired)
    observed = {field for one in draft.said.values() if one.is_live for field in one.content}
    for field, value in content.items():
        if value is not None:
            desired[field] = value
        elif field.startswith(LABEL) and field in observed:
            desired[field] = None  # hides a label that a source keeps reporting
        else:
            desired.pop(field, None)
    draft.desired = desired
    draft.secrets = secrets


@action("inventory.edit")
def bulk_update(actor: Actor, target: str | Sequence[int], changes: Mapping[str, Any], *, reason: str = "") -> Bulk:
    """Make the same change on all items of a query or of a list of ids; all or none. `revert` takes it back."""
    from quarterdeck.inventory.queries import targets

    ids = targets(actor, target, "inventory.edit", limit=MAX_BULK)
    require(actor, "inventory.edit", Item.objects.filter(pk__in=ids))
    pen = Pen(actor, MANUAL, reason, now())
    done: list[int] = []
    valid: dict[int, tuple[Content, dict[str, str]]] = {}
    for start in range(0, len(ids), BATCH_ROWS):
        items = Item.objects.select_for_update().filter(pk__in=ids[start : start + BATCH_ROWS]).order_by("pk")
        drafts = list(drafts_of(items, catalogue()).values())
        for draft in drafts:
            if draft.spec.id not in valid:
                valid[draft.spec.id] = _valid(actor, draft.spec, flat(changes))
            _put(draft, *valid[draft.spec.id])
            draft.work_out()
            _require_values(draft)
        moved = [draft for draft in drafts if draft.is_changed]
        save_checked(moved, pen)
        done.extend(draft.item.pk for draft in moved)
    require(actor, "inventory.edit", Item.objects.filter(pk__in=ids))
    if done:
        record(
            actor, "inventory.bulk_update", ("change_set", str(pen.change_set_id()), MANUAL), f"{len(done)} items: "
            + ", ".join(flat(changes)), after=_without_secrets(changes, ids), reason=reason,
        )  # fmt: skip
    return Bulk(done, pen.change_set.pk if pen.change_set else None)


def _without_secrets(changes: Mapping[str, Any], ids: Sequence[int]) -> dict[str, Any]:
    """Return the changes for the audit record, secrets as digests; `ids` tell which types are concerned."""
    types = catalogue()
    rows = Item.objects.filter(pk__in=ids).order_by()
    specs = [types.by_id[pk] for pk in rows.values_list("type_id", flat=True).distinct()]
    hidden = {code for spec in specs for code, one in spec.attributes.items() if one.kind == Kind.SECRET}
    return {
        name: secret.digest(str(value)) if name in hidden and value is not None else value
        for name, value in flat(changes).items()
    }


@action("inventory.delete")
def trash(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Put items into the trash; `restore` takes them out again."""
    return _move(actor, target, Lifecycle.TRASHED, "inventory.trash", reason)


@action("inventory.delete")
def restore(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> Bulk:
    """Take items out of the trash, or a retired item back into use."""
    return _move(actor, target, Lifecycle.ACTIVE, "inventory.restore", reason)


def _move(actor: Actor, target: str | Sequence[int], lifecycle: Lifecycle, verb: str, reason: str) -> Bulk:
    from quarterdeck.inventory.queries import targets

    ids = targets(actor, target, "inventory.delete", limit=MAX_BULK)
    require(actor, "inventory.delete", Item.objects.filter(pk__in=ids))
    pen = Pen(actor, MANUAL, reason, now())
    moved: list[int] = []
    for start in range(0, len(ids), BATCH_ROWS):
        items = Item.objects.select_for_update().filter(pk__in=ids[start : start + BATCH_ROWS], merged_into=None)
        drafts = list(drafts_of(items.exclude(lifecycle=lifecycle).order_by("pk"), catalogue()).values())
        for draft in drafts:
            draft.lifecycle = lifecycle.value
            for one in draft.said.values():
                one.is_changed = lifecycle is Lifecycle.ACTIVE
            draft.work_out()
        save(drafts, pen)
        moved.extend(draft.item.pk for draft in drafts)
    if moved:
        names = list(Item.objects.filter(pk__in=moved[:20]).values_list("name", flat=True))
        record(
            actor, verb, ("change_set", str(pen.change_set_id()), MANUAL), f"{len(moved)} items: {', '.join(names)}",
            after={"lifecycle": lifecycle.value, "ids": moved[:1000]}, reason=reason,
        )  # fmt: skip
    return Bulk(moved, pen.change_set.pk if pen.change_set else None)


@action("inventory.delete")
def purge(actor: Actor, target: str | Sequence[int], *, reason: str = "") -> int:
    """Delete items that are in the trash for ever, with their history. A source that still sees one makes it anew."""
    from quarterdeck.inventory.queries import targets

    ids = targets(actor, target, "inventory.delete", limit=MAX_BULK)
    require(actor, "inventory.delete", Item.objects.filter(pk__in=ids))
    # Locked, so that nobody writes to one of them what is derived from it while it goes.
    trashed = Item.objects.select_for_update().filter(pk__in=ids, lifecycle=Lifecycle.TRASHED)
    doomed = list(trashed.values_list("pk", "name"))
    if len(doomed) != len(ids):
        raise Conflict(
            _("%(count)d of these items are not in the trash.") % {"count": len(ids) - len(doomed)},
            hint=_("Put items into the trash before you purge them."),
        )
    Item.objects.filter(pk__in=[pk for pk, _name in doomed]).delete()
    record(
        actor, "inventory.purge", None, f"{len(doomed)} items: {', '.join(name for _pk, name in doomed[:20])}",
        before={"items": [{"id": pk, "name": name} for pk, name in doomed[:1000]]}, reason=reason,
    )  # fmt: skip
    return len(doomed)
