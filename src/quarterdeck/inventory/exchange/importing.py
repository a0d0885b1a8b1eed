"""Files into the inventory: read as a stream, written in batches, every bad row told and every good one kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.actions.apply import apply
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.exchange.detect import detect, format_named
from quarterdeck.inventory.exchange.records import BadRow, Record, Rows
from quarterdeck.inventory.exchange.rows import Reading
from quarterdeck.inventory.found import Applied, Found, RowError
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.writing.relate import resolve_for

SOURCE = "import"
# Rows of one call of `apply`: what is in memory at a time.
BATCH_ROWS = 5_000
# A file whose rows are all wrong is wrong as a whole; nobody reads more lines than this.
MAX_ERRORS = 10_000

Progress = Callable[[int], None]
Key = tuple[str, str]


@dataclass(slots=True)
class _Import:
    """One file on its way in. `waiting` are rows whose relations point at something that may come later."""

    actor: Actor
    reading: Reading
    dry_run: bool
    reason: str
    progress: Progress
    counts: dict[str, int] = field(default_factory=lambda: {"create": 0, "update": 0, "unchanged": 0})
    errors: list[RowError] = field(default_factory=list)
    errors_left_out: int = 0
    rows_done: int = 0
    seen: dict[Key, int] = field(default_factory=dict)
    waiting: list[Found] = field(default_factory=list)
    change_set_id: int | None = None

    def write(self, found: list[Found]) -> Applied:
        """Apply rows; all rows of a file are one change set."""
        applied = apply(
            self.actor, found, SOURCE, reason=self.reason, dry_run=self.dry_run, key=_apply_key(self.reading.key),
            continues=self.change_set_id,
        )  # fmt: skip
        self.change_set_id = applied.change_set_id
        return applied

    def complain(self, error: RowError) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)
        else:
            self.errors_left_out += 1


@action("inventory.import", atomic=False)
def import_file(
    actor: Actor,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002
    type: str = "",  # noqa: A002
    key: str = "name",
    dry_run: bool = False,
    progress: Progress = lambda rows_done: None,
    reason: str = "",
) -> dict[str, Any]:
    """Import a file or an Ansible directory and return what happened, or in a dry run would happen:

        {"create": 3, "update": 1, "unchanged": 0, "errors": [{"row": 7, "field": "ssh_port", "message": "..."}]}

    and as "change_set" the number by which `revert` takes it back, when something was written.
    Rows with errors are left out, the others are taken. `type` is for rows that name none. A row updates the item of
    its type whose `key` (name, id, primary_ip or an indexed attribute) has the same value, else it makes one.
    `progress(rows_done)` is called after every batch. Raises BadInput when the file as a whole cannot be read; what
    was taken before it broke off stays. Raises Denied.
    """
    name = format or detect(path)
    plugin = format_named(name)
    types = catalogue()
    if type:
        types.type(type)
    reading = Reading(types, plugin.flat, type or plugin.type, key or "name", keeps_unknown=plugin.directories)
    running = _Import(actor, reading, dry_run, reason or path.name, progress)
    return _run(running, plugin.read(path), f"{path.name} ({name})")


@action("inventory.import", atomic=False)
def import_records(
    actor: Actor,
    records: Iterable[Record],
    *,
    type: str,  # noqa: A002
    title: str,
    key: str = "name",
    dry_run: bool = False,
) -> dict[str, Any]:
    """Import records of text as a file's are, and return the same; `title` is what the history calls them."""
    types = catalogue()
    types.type(type)
    running = _Import(actor, Reading(types, flat=True, type=type, key=key), dry_run, title, lambda rows_done: None)
    return _run(running, iter(records), title)


def _run(running: _Import, rows: Rows, title: str) -> dict[str, Any]:
    while batch := list(islice(rows, BATCH_ROWS)):
        _take(running, batch)
    _relate(running)
    result = _result(running)
    counts = {**running.counts, "errors": len(running.errors)}
    detail = f"{title}{', dry run' if running.dry_run else ''}"
    record(running.actor, "inventory.import", None, detail, after=counts)
    return result


def _take(running: _Import, batch: list[Record | BadRow]) -> None:
    found = list(_understood(running, batch))
    _know_ids(running.reading.key, found)
    applied = running.write(found)
    running.counts["create"] += applied.created
    running.counts["update"] += applied.updated
    running.counts["unchanged"] += applied.unchanged
    for error in applied.errors:
        running.complain(error)
    lost = {warning.row for warning in applied.warnings if warning.field == "relations"}
    for warning in applied.warnings:
        if warning.field != "relations":
            running.complain(warning)
    refused = {error.row for error in applied.errors}
    running.waiting += [
        one for one in found if one.relations and one.row not in refused and (running.dry_run or one.row in lost)
    ]
    running.rows_done += len(batch)
    running.progress(running.rows_done)


def _apply_key(key: str) -> str:
    return "name" if key == "id" else key


def _understood(running: _Import, batch: list[Record | BadRow]) -> Iterator[Found]:
    for row in batch:
        found = row if isinstance(row, BadRow) else running.reading.found_of(row)
        if isinstance(found, BadRow):
            running.complain(RowError(found.row, found.field, found.message))
            continue
        identity = (found.type, f"#{found.item_id}" if found.item_id else found.external_id)
        first = running.seen.setdefault(identity, found.row or 0)
        if first != found.row:
            text = _('row %(row)d is about the same %(type)s "%(name)s" already')
            message = text % {"row": first, "type": found.type, "name": found.external_id[:80]}
            running.complain(RowError(found.row or 0, running.reading.key, message))
        else:
            yield found


def _know_ids(key: str, found: list[Found]) -> None:
    """Keep the ids that are to be believed: a file of another instance has ids that mean other items here.

    With the id as key the type must be right; else it only tells items of one name apart, so the name must be too.
    """
    ids = {one.item_id for one in found if one.item_id}
    known = {
        pk: (type_code, name)
        for pk, type_code, name in Item.objects.filter(pk__in=ids).values_list("id", "type__code", "name")
    }
    for position, one in enumerate(found):
        if one.item_id:
            type_code, name = known.get(one.item_id, ("", ""))
            is_it = type_code == one.type and (key == "id" or name == one.name)
            # Its own key: two items of one name are two records.
            found[position] = replace(one, external_id=f"#{one.item_id}") if is_it else replace(one, item_id=None)


def _relate(running: _Import) -> None:
    """Relations to items that came later in the file; what is still not there is an error of its row."""
    if running.dry_run:
        targets = {(kind, key) for one in running.waiting for _type, kind, key in one.relations}
        known = {*resolve_for(running.actor, SOURCE, targets, running.reading.types), *running.seen}
        for one in running.waiting:
            for relation, kind, key in one.relations:
                if (kind, key) not in known:
                    text = _('no item is known as %(kind)s "%(key)s"') % {"kind": kind, "key": key[:80]}
                    running.complain(RowError(one.row or 0, f"relation.{relation}", text))
        return
    for start in range(0, len(running.waiting), BATCH_ROWS):
        applied = running.write(running.waiting[start : start + BATCH_ROWS])
        for warning in applied.warnings:
            if warning.field == "relations":
                running.complain(warning)


def _result(running: _Import) -> dict[str, Any]:
    ordered = sorted(running.errors, key=lambda error: (error.row, error.field))
    errors = [{"row": error.row, "field": error.field, "message": error.message} for error in ordered]
    if running.errors_left_out:
        text = _("%(n)d more errors are not listed") % {"n": running.errors_left_out}
        errors.append({"row": 0, "field": "", "message": text})
    made = {"change_set": running.change_set_id} if running.change_set_id else {}
    return {**running.counts, "errors": errors, **made}
