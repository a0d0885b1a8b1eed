"""Files that come in through pages and the API: kept in a directory of their own until a task has imported them."""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound, OpsError
from quarterdeck.core.later import later
from quarterdeck.inventory.exchange.detect import detect, format_named
from quarterdeck.inventory.exchange.files import MAX_FILE_BYTES
from quarterdeck.inventory.exchange.importing import import_file
from quarterdeck.inventory.models import Import

log = logging.getLogger(__name__)
_PROGRESS_SECONDS = 0.5
KEPT_DAYS = 7


@action("inventory.import")
def upload(
    actor: Actor,
    file_name: str,
    content: Iterable[bytes],
    *,
    format: str = "",  # noqa: A002
    type: str = "",  # noqa: A002
    key: str = "name",
    dry_run: bool = True,
) -> Import:
    """Keep an uploaded file; nothing is imported yet. Raises BadInput when it is too large or its format is unclear."""
    name = re.sub(r"[^\w.-]", "_", Path(file_name.replace("\\", "/")).name).lstrip(".")[-100:] or "upload"
    uploads = settings.DATA / "uploads"
    uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A directory for each: formats that include their neighbours must not find other people's files.
    path = Path(mkdtemp(dir=uploads)) / name
    try:
        _save(path, content)
        chosen = format or detect(path)
        format_named(chosen)
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return Import.objects.create(
        file_name=file_name[-255:],
        file_path=str(path),
        format=chosen,
        type=type,
        key=key or "name",
        dry_run=dry_run,
        actor=actor.name[:150],
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        created_at=now(),
    )


def _save(path: Path, content: Iterable[bytes]) -> None:
    size = 0
    with path.open("xb") as file:
        for block in content:
            size += len(block)
            if size > MAX_FILE_BYTES:
                limit = MAX_FILE_BYTES >> 20
                raise BadInput(_("the file has more than %(limit)d MB") % {"limit": limit}, hint=_("split the file"))
            file.write(block)


@action("inventory.import")
def start_import(
    actor: Actor,
    import_id: int,
    *,
    dry_run: bool,
    format: str = "",  # noqa: A002
    type: str = "",  # noqa: A002
    key: str = "",
) -> Import:
    """Import an uploaded file in the background, or try it. Only the one who brought it may; others see NotFound.

    Raises Conflict while it runs, or when it has been imported for good already.
    """
    found = import_of(actor, import_id)
    if found.phase == Import.Phase.RUNNING:
        raise _is_running(found)
    if found.phase == Import.Phase.DONE and not found.dry_run:
        raise Conflict(_("%(file)s has been imported") % {"file": found.file_name}, hint=_("upload it again"))
    if format:
        format_named(format)
    values = {"format": format or found.format, "type": type or found.type, "key": key or found.key}
    as_read = Import.objects.filter(pk=found.pk, phase=found.phase, dry_run=found.dry_run)
    if not as_read.update(
        **values, dry_run=dry_run, phase=Import.Phase.UPLOADED, rows_done=0, result={}, ended_at=None
    ):
        raise _is_running(found)
    record(actor, "inventory.import.start", ("import", str(found.pk), found.file_name), "dry run" if dry_run else "")
    later("inventory.run_import", found.pk, get_language() or "")
    found.refresh_from_db()
    return found


def _is_running(found: Import) -> Conflict:
    return Conflict(_("%(file)s is being imported already") % {"file": found.file_name}, hint=_("wait for it to end"))


def import_of(actor: Actor, import_id: int) -> Import:
    """Return an import of this actor's own. Raises NotFound."""
    found = Import.objects.filter(pk=import_id, actor_kind=actor.kind.value, actor_id=actor.id).first()
    if found is None:
        raise NotFound(_("there is no import %(id)d of yours") % {"id": import_id}, hint=_("upload the file again"))
    return found


def run_import(import_id: int, language: str = "") -> None:
    """Do what `start_import` queued, with the rights that its actor has by now, and in the language of who asked.

    A message that comes twice starts it once. Whatever goes wrong ends up in the import's result, for its page.
    """
    claimed = Import.objects.filter(pk=import_id, phase=Import.Phase.UPLOADED).update(phase=Import.Phase.RUNNING)
    if not claimed:
        return
    found = Import.objects.get(pk=import_id)
    actor = Actor(ActorKind(found.actor_kind), found.actor, found.actor_id, auth_method="queued")
    with override(language or get_language()):
        _run(actor, found)


def _run(actor: Actor, found: Import) -> None:
    try:
        result = import_file(
            actor,
            Path(found.file_path),
            format=found.format,
            type=found.type,
            key=found.key,
            dry_run=found.dry_run,
            progress=_progress_of(found.pk),
            reason=found.file_name,
        )
    except OpsError as error:
        _end(found.pk, Import.Phase.FAILED, {"message": error.message, "hint": error.hint, "field": error.field})
    except Exception:
        _end(found.pk, Import.Phase.FAILED, {"message": _("the import broke off by a fault of ours; see the log")})
        raise
    else:
        _end(found.pk, Import.Phase.DONE, result)


def _progress_of(import_id: int) -> Callable[[int], None]:
    last = 0.0

    def progress(rows_done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            Import.objects.filter(pk=import_id).update(rows_done=rows_done)

    return progress


def _end(import_id: int, phase: Import.Phase, result: dict[str, Any]) -> None:
    counted = sum(result[name] for name in ("create", "update", "unchanged") if name in result)
    values = {"phase": phase, "result": result, "ended_at": now()}
    with transaction.atomic():
        Import.objects.filter(pk=import_id).update(**values)
        if counted:
            errors = result.get("errors")
            total = counted + (len(errors) if isinstance(errors, list) else 0)
            Import.objects.filter(pk=import_id).update(rows_done=total, rows_total=total)


def forget_uploads() -> int:
    """Remove the files of imports that are a week old; the records of them stay. Returns how many."""
    limit = time.time() - KEPT_DAYS * 86400
    old = [path for path in (settings.DATA / "uploads").glob("*") if path.stat().st_mtime < limit]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)
