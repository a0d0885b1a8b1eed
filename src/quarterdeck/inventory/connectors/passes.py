"""Passes over sources: read everything, then write it in one go, and note how it ended.

Reading may take long, so it happens outside of any transaction. A pass that failed, or saw a part only, never makes
anything missing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import NotFound, OpsError
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.plugins import plugins
from quarterdeck.inventory.actions.apply import apply
from quarterdeck.inventory.actions.sync import note_sync
from quarterdeck.inventory.connectors.connector import FAMILY, Connector, PartOfPass, Session
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import SyncRun

log = logging.getLogger(__name__)


def connectors() -> dict[str, Connector]:
    """Return every source by name."""
    return plugins(FAMILY, Connector)


def connector_named(name: str) -> Connector:
    found = connectors()
    if name not in found:
        hint = did_you_mean(name, found) or _("one of %(names)s") % {"names": ", ".join(found)}
        raise NotFound(_('there is no source "%(name)s"') % {"name": name}, hint=hint)
    return found[name]


@action("inventory.edit", atomic=False)
def sync(actor: Actor, source: str, scope: str) -> SyncRun:
    """Take one scope of a source into the inventory and return the run: complete, partial, failed or held.

    A source that cannot be read gives a failed run, not an error: its state is news for the inventory's pages.
    Raises NotFound for an unknown source, Denied.
    """
    connector = connector_named(source)
    started_at = now()
    try:
        found, problem = _read(connector, Session(scope, _last_complete(source, scope)))
    except OpsError as error:
        return note_sync(actor, source, scope, started_at, failed=error.message)
    applied = apply(actor, found, source, scope=scope, complete=not problem)
    if problem:
        return note_sync(actor, source, scope, started_at, partial=problem, applied=applied)
    return SyncRun.objects.filter(source=source, scope=scope).latest("pk")


def sync_all(actor: Actor) -> list[SyncRun]:
    """Take every scope of every source in; one that fails, in whatever way, does not keep the others from it."""
    return [
        _survived(actor, name, scope) for name, connector in connectors().items() for scope in _scopes(name, connector)
    ]


def _scopes(name: str, connector: Connector) -> Sequence[str]:
    try:
        return connector.scopes()
    except Exception:  # a third party's code: its bug must not stop the other sources
        log.exception("source %s: its scopes cannot be listed", name)
        return []


def _survived(actor: Actor, name: str, scope: str) -> SyncRun:
    began = now()
    try:
        return sync(actor, name, scope)
    except Exception as error:  # the same; the run shows it, the log has the traceback
        log.exception("source %s, scope %s: the pass failed", name, scope)
        return note_sync(actor, name, scope, began, failed=f"{type(error).__name__}: {error}"[:2000])


def _last_complete(source: str, scope: str) -> datetime | None:
    runs = SyncRun.objects.filter(source=source, scope=scope, outcome=SyncRun.Outcome.COMPLETE)
    return runs.order_by("-pk").values_list("started_at", flat=True).first()


def _read(connector: Connector, session: Session) -> tuple[list[Found], str]:
    """Return everything of a pass, and what of it could not be read."""
    found: list[Found] = []
    problem = ""
    try:
        for page in connector.pages(session):
            found.extend(connector.found(page))
    except PartOfPass as error:
        problem = error.message
    # What is there now is there, whatever was said of an earlier thing of that name.
    present = {(one.type, one.external_id) for one in found if not one.gone}
    return [one for one in found if not one.gone or (one.type, one.external_id) not in present], problem
