"""What is done with terminals. A browser then takes one that was opened for it, see `serving`."""

from __future__ import annotations

import re
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, may, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Denied, OpsError, TooMany
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, TimelineEvent
from quarterdeck.inventory.queries import get_item
from quarterdeck.inventory.queries.items import HIDDEN
from quarterdeck.jobs.terminals import output
from quarterdeck.jobs.terminals.models import End, TerminalSession, TerminalState
from quarterdeck.jobs.terminals.queries import OPEN, REPLAY, is_own, session_of
from quarterdeck.remote.terminals import Size

# How long the browser may take from the form to the terminal.
_WAITING_SECONDS = 60
# As Docker has names and ids. See https://docs.docker.com/reference/cli/docker/container/run/#name
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_SYSTEM = SYSTEM.named("system:terminals")


@action(OPEN)
def open_session(actor: Actor, item_id: int, *, container: str = "", reason: str = "") -> TerminalSession:
    """Make a terminal on a host, or in a container of it, for the actor's browser to take within a minute.

    Raises NotFound, Denied, BadInput, TooMany.
    """
    item = get_item(actor, item_id)
    require(actor, OPEN, item)
    _check(item, container, reason)
    _require_room(actor)
    session = TerminalSession(item=item, name=item.name, container=container, reason=reason[:500], created_at=now())
    session.actor, session.actor_kind, session.actor_id = actor.name[:150], actor.kind.value, actor.id
    session.language = get_language() or ""
    session.save()
    after = {"host": item.pk, **({"container": container} if container else {})}
    record(actor, "jobs.terminal.open", session, session.place, after=after, reason=reason)
    return session


def _check(item: Item, container: str, reason: str) -> None:
    if item.lifecycle in HIDDEN or "ssh_port" not in catalogue().by_id[item.type_id].attributes:
        raise BadInput(
            _("%(name)s cannot be signed in on") % {"name": item.name}, hint=_("choose a host"), field="item"
        )
    if container and not _CONTAINER.fullmatch(container):
        raise BadInput(
            _("this is no name of a container"), hint=_("letters, digits and _ . -, as docker ps shows it"),
            field="container",
        )  # fmt: skip
    if settings.QD["terminal_asks_reason"] and not reason.strip():
        raise BadInput(_("a terminal needs a reason here"), hint=_("a word or two for the audit log"), field="reason")


def _require_room(actor: Actor) -> None:
    """Raise TooMany where as many are open as may be."""
    waiting_since = now() - timedelta(seconds=_WAITING_SECONDS)
    opened = TerminalSession.objects.filter(
        Q(state=TerminalState.OPEN) | Q(state=TerminalState.WAITING, created_at__gt=waiting_since)
    )
    mine = opened.filter(actor_kind=actor.kind.value, actor_id=actor.id, actor=actor.name[:150]).count()
    if mine >= settings.QD["terminals_per_person"]:
        raise TooMany(
            _("%(count)d terminals of yours are open") % {"count": mine},
            hint=_("close some of them"),
            retry_after_seconds=10,
        )
    if opened.count() >= settings.QD["terminals_max"]:
        raise TooMany(
            _("as many terminals are open as may be"),
            hint=_("wait for one, or see the setting terminals_max"),
            retry_after_seconds=30,
        )


@action(OPEN)
def take_session(actor: Actor, session_id: int, size: Size, served_by: str) -> TerminalSession:
    """Give a terminal that waits to the browser that asks, once. Raises NotFound, Conflict."""
    at = now()
    waiting = TerminalSession.objects.filter(
        pk=session_of(actor, session_id).pk,
        state=TerminalState.WAITING,
        created_at__gt=at - timedelta(seconds=_WAITING_SECONDS),
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor=actor.name[:150],
    )
    values = {"served_by": served_by, "columns": size.columns, "rows": size.rows, "opened_at": at, "beat_at": at}
    if not waiting.update(state=TerminalState.OPEN, **values):
        raise Conflict(
            _("this terminal is not waiting for a browser any more"), hint=_("open another one on the page of the host")
        )
    return TerminalSession.objects.select_related("item__type").get(pk=session_id)


@action(OPEN)
def share_session(actor: Actor, session_id: int) -> TerminalSession:
    """Let whoever may open a terminal on the same item watch this one. Raises NotFound, Denied, Conflict."""
    return _set_shared(actor, session_id, is_shared=True)


@action(OPEN)
def unshare_session(actor: Actor, session_id: int) -> TerminalSession:
    """Let nobody else watch any more. Raises NotFound, Denied, Conflict."""
    return _set_shared(actor, session_id, is_shared=False)


def _set_shared(actor: Actor, session_id: int, *, is_shared: bool) -> TerminalSession:
    session = _open(actor, session_id)
    if not is_own(actor, session):
        raise Denied(_("this is not your terminal"), hint=_("who opened it shares it"))
    if session.is_shared != is_shared:
        TerminalSession.objects.filter(pk=session.pk).update(is_shared=is_shared)
        session.is_shared = is_shared
        verb = "jobs.terminal.share" if is_shared else "jobs.terminal.unshare"
        record(actor, verb, session, session.place, before={"shared": not is_shared}, after={"shared": is_shared})
    return session


@action("jobs.terminal.close", is_open=True)
def close_session(actor: Actor, session_id: int) -> TerminalSession:
    """End a terminal: one's own, or another's on an item whose recordings one may see. It ends within seconds.

    Raises NotFound, Denied, Conflict.
    """
    session = _open(actor, session_id)
    if not is_own(actor, session) and not _may_watch_all(actor, session):
        raise Denied(_("this is not your terminal"), hint=_("who opened it, or may see all recordings, ends it"))
    TerminalSession.objects.filter(pk=session.pk).update(is_closing=True)
    record(actor, "jobs.terminal.close", session, session.place)
    return session


def _open(actor: Actor, session_id: int) -> TerminalSession:
    session = session_of(actor, session_id)
    if session.is_ended:
        raise Conflict(_("terminal %(id)d has ended") % {"id": session.pk}, hint=f"qd terminals show {session.pk}")
    return session


def _may_watch_all(actor: Actor, session: TerminalSession) -> bool:
    return may(actor, REPLAY, session.item) if session.item else may(actor, REPLAY)


@action("jobs.terminal.replay", is_open=True)
def look_into(actor: Actor, session_id: int, how: str = "") -> TerminalSession:
    """Return a terminal whose recording is about to be shown, or sent as a file. Raises NotFound, Denied.

    `how` is for the audit log. One of one's own is not worth a line there, while it is open.
    """
    session = session_of(actor, session_id)
    if session.is_ended or not is_own(actor, session):
        verb = "jobs.terminal.replay" if session.is_ended else "jobs.terminal.watch"
        record(actor, verb, session, how, after={"opened_by": session.actor})
    return session


@action(OPEN)
def note_account(actor: Actor, session: TerminalSession, account: str) -> None:
    """Note as whom the host is signed in on."""
    TerminalSession.objects.filter(pk=session.pk).update(account=account[:255])
    session.account = account[:255]


def end_session(
    session: TerminalSession, end: End, *, error: str = "", exit_code: int | None = None, printed_bytes: int = 0
) -> bool:
    """Write down that a terminal has ended, and why; whether it had not been written down yet."""
    return _end(_SYSTEM, session, end, error, exit_code, printed_bytes)


@action(OPEN)
def _end(
    actor: Actor, session: TerminalSession, end: End, error: str, exit_code: int | None, printed_bytes: int
) -> bool:
    at = now()
    # Whoever has the terminal open does not know that its item was purged; and none is purged meanwhile.
    item = Item.objects.select_for_update(no_key=True).filter(pk=session.item_id or 0).only("pk").first()
    values = {"end": end, "error": error[:1000], "exit_code": exit_code, "printed_bytes": printed_bytes}
    open_ = TerminalSession.objects.filter(pk=session.pk).exclude(state=TerminalState.ENDED)
    if not open_.update(state=TerminalState.ENDED, ended_at=at, is_shared=False, **values):
        return False
    after = {"opened_by": session.actor, "why": end.value, "bytes": printed_bytes, "exit_code": exit_code}
    record(actor, "jobs.terminal.end", session, session.place, after=after, error=error)
    if item and session.opened_at and end is not End.REFUSED:
        title = f"Terminal {session.place}"
        detail = {"terminal": session.pk, "why": end.value, "seconds": round((at - session.opened_at).total_seconds())}
        TimelineEvent.objects.create(
            item=item, at=session.opened_at, kind="terminal.ended", title=title[:255], detail=detail,
            actor=session.actor,
        )  # fmt: skip
    return True


def sweep() -> None:
    """End the terminals whose web process gave no sign of life for too long, and those that no browser came for."""
    at = now()
    silent_since = at - timedelta(seconds=settings.QD["worker_dead_seconds"])
    not_ended = TerminalSession.objects.exclude(state=TerminalState.ENDED).select_related("item")
    for session in not_ended.filter(state=TerminalState.OPEN, beat_at__lt=silent_since):
        end_session(session, End.VANISHED, printed_bytes=_recorded_bytes(session))
    waited_since = at - timedelta(seconds=_WAITING_SECONDS)
    for session in not_ended.filter(state=TerminalState.WAITING, created_at__lt=waited_since):
        end_session(session, End.LEFT)


def _recorded_bytes(session: TerminalSession) -> int:
    """Return how much of it is recorded, 0 while the engine does not tell."""
    try:
        return output.totals(session).size_bytes
    except OpsError:
        return 0
