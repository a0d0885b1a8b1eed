"""PromQL for people: what each may read, how much at once, and stopping it. Reads only; nothing of it is audited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.access import grants
from quarterdeck.access.checks import require, visible
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, TooMany
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring.senders.binding import names_of_senders
from quarterdeck.telemetry import client
from quarterdeck.telemetry.owners import SENDER_BIT, owners_of
from quarterdeck.telemetry.promql import answering, changing, indexing
from quarterdeck.telemetry.promql.answering import POINTS_MAX, Limits
from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.plan import Scope
from quarterdeck.telemetry.turns import caller_of, turns

SECONDS_MAX = 60
SECONDS_USUAL = 30
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Ask:
    """A question that may be asked: `answer` does so, in any thread and without the records; `stop` ends it early."""

    work: Callable[[Scope, Limits], Any]
    scope: Scope
    limits: Limits
    caller: str
    _is_stopped: threading.Event = field(default_factory=threading.Event)

    def answer(self) -> Any:
        """Wait for a turn and ask the engine. Raises BadExpression, ExecutionFailed, TooMany, Unavailable."""
        with turns.turn(self.caller):
            if self._is_stopped.is_set():
                raise TooMany(_("the query was cancelled"))
            return self.work(self.scope, self.limits)

    def stop(self) -> None:
        """End the question on the engine: nobody waits for its answer any more."""
        self._is_stopped.set()
        try:
            client.command("KILL QUERY WHERE Settings['log_comment'] = {id:String} ASYNC", {"id": self.limits.id})
        except DatabaseError as error:
            # A server may not let us; its time limit ends the query all the same.
            log.warning("a cancelled query goes on: %s", client.said(error))


def instant(actor: Actor, query: str, at_ms: int, seconds: float = SECONDS_USUAL) -> Ask:
    """Ask for a query's answer at one time. Raises Denied."""
    return _ask(actor, lambda scope, limits: answering.instant(query, at_ms, scope, limits), seconds)


def over_range(
    actor: Actor, query: str, start_ms: int, end_ms: int, step_ms: int, seconds: float = SECONDS_USUAL
) -> Ask:
    """Ask for a query's answers from `start_ms` to `end_ms`. Raises Denied, BadExpression."""
    if step_ms <= 0:
        raise BadExpression(_("zero or negative query resolution step widths are not accepted"), field="step")
    if end_ms < start_ms:
        raise BadExpression(_("end timestamp must not be before start time"), field="end")
    if (end_ms - start_ms) // step_ms + 1 > POINTS_MAX:
        raise BadExpression(
            _("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution"),
            hint=_("a larger step, or a shorter time"),
            field="step",
        )
    return _ask(
        actor, lambda scope, limits: answering.over_range(query, start_ms, end_ms, step_ms, scope, limits), seconds
    )


def changed(actor: Actor, query: str, since: datetime, until: datetime, *, combine: str = "", limit: int = 20) -> Ask:
    """Ask which labels' values differ most in [`since`, `until`) from the same length of time before.

    See `telemetry.promql.changing`. Raises Denied, BadInput.
    """
    since_ms, until_ms = (round(at.timestamp() * 1000) for at in (since, until))
    if until_ms <= since_ms:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    return _ask(actor, partial(changing.changed, query, since_ms, until_ms, combine, limit))


def series(actor: Actor, matches: Sequence[str], limit: int = 0) -> Ask:
    """Ask for the labels of series. Raises Denied."""
    return _ask(actor, partial(indexing.series, matches, limit=limit))


def label_names(actor: Actor, matches: Sequence[str] = (), limit: int = 0) -> Ask:
    """Ask for the names of labels. Raises Denied."""
    return _ask(actor, partial(indexing.label_names, matches, limit=limit))


def label_values(actor: Actor, name: str, matches: Sequence[str] = (), limit: int = 0) -> Ask:
    """Ask for the values of a label. Raises Denied."""
    return _ask(actor, partial(indexing.label_values, name, matches, limit=limit))


def _ask(actor: Actor, work: Callable[[Scope, Limits], Any], seconds: float = SECONDS_USUAL) -> Ask:
    require(actor, "telemetry.query")
    limits = Limits(
        seconds=max(1, min(SECONDS_MAX, round(seconds))),
        memory_bytes=max(128 << 20, (int(settings.QD["engine_memory_mb"]) << 20) // 2),
        id=f"promql-{uuid4().hex}",
    )
    return Ask(work, scope_of(actor), limits, caller_of(actor))


def scope_of(actor: Actor) -> Scope:
    """Return whose series the actor may read: everybody's, or those of items that his roles reach."""
    measured = client.query("SELECT DISTINCT item FROM series WHERE item < {bit:UInt64}", {"bit": SENDER_BIT})
    own = [int(row[0]) for row in measured]
    items = visible(actor, "telemetry.query", Item.objects.all())
    names = tuple(sorted(items.filter(pk__in=own).values_list("pk", "name"))) if own else ()
    senders = partial(names_of_senders, items)
    if not grants.allowed(actor, "telemetry.query", Item):
        return Scope(None, names, senders)
    return Scope(tuple(owners_of(list(items.values_list("pk", flat=True)))), names, senders)
