"""Reads of terminals. One's own are for whoever may open them, others' for who may watch recordings of the item."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import may, require, visible
from quarterdeck.access.grants import NOTHING, allowed
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.terminals.models import TerminalSession, TerminalState

OPEN = "jobs.terminal"
REPLAY = "jobs.terminal_recordings"


def may_read(actor: Actor) -> bool:
    """Whether there may be terminals that the actor sees."""
    return may(actor, OPEN) or may(actor, REPLAY)


def is_own(actor: Actor, session: TerminalSession) -> bool:
    return (session.actor_kind, session.actor_id) == (actor.kind.value, actor.id) and session.actor == actor.name[:150]


def sessions(
    actor: Actor, *, states: Sequence[str] = (), text: str = "", item: Item | None = None
) -> QuerySet[TerminalSession]:
    """Return the terminals that the actor may look at, newest first. Raises Denied, BadInput.

    These are their own, those of others on items whose recordings they may see, and open ones that are shared, on items
    on which they may open one themselves.
    """
    if not may(actor, REPLAY):
        require(actor, OPEN)
    _check_states(states)
    found = TerminalSession.objects.filter(_readable(actor)).order_by("-pk")
    if states:
        found = found.filter(state__in=states)
    if item is not None:
        found = found.filter(item=item)
    return found.filter(Q(name__icontains=text) | Q(actor__icontains=text)) if text else found


def _readable(actor: Actor) -> Q:
    found = NOTHING
    if may(actor, OPEN):
        found |= Q(actor_kind=actor.kind.value, actor_id=actor.id, actor=actor.name[:150])
        openable = visible(actor, OPEN, Item.objects.all())
        found |= Q(is_shared=True, state=TerminalState.OPEN, item__in=openable)
    if not may(actor, REPLAY):
        return found
    # With the right on everything, those whose item is gone as well.
    return found | Q(item__in=visible(actor, REPLAY, Item.objects.all())) if allowed(actor, REPLAY, Item) else Q()


def _check_states(states: Sequence[str]) -> None:
    for state in states:
        if state not in TerminalState.values:
            raise BadInput(
                _('"%(state)s" is no state of a terminal') % {"state": state[:40]},
                hint=", ".join(TerminalState.values),
                field="state",
            )


def session_of(actor: Actor, session_id: int) -> TerminalSession:
    """Raises NotFound, Denied."""
    found = sessions(actor).filter(pk=session_id).select_related("item").first()
    if found is None:
        raise NotFound(_("there is no terminal %(id)d that you may see") % {"id": session_id}, hint="qd terminals list")
    return found
