"""The second person's word on a run that guard rules let wait for it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from quarterdeck.access.checks import action, require
from quarterdeck.access.persons import person_of
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Conflict, Denied
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.runs.claiming import announce, refuse
from quarterdeck.jobs.runs.ending import actor_of
from quarterdeck.jobs.runs.models import Run, RunState
from quarterdeck.jobs.runs.queries import run_of

VERB = "jobs.approve"


@action(VERB)
def approve_run(actor: Actor, run_id: int, *, decision: str = "") -> Run:
    """Let a run begin that waits for approval. Its own person cannot do that, by no token either.

    Raises Denied, NotFound, Conflict for one that does not wait.
    """
    run = _waiting(actor, run_id)
    _decide(actor, run, "jobs.run.approve", decision)
    run.state = RunState.QUEUED
    run.save(update_fields=["state", "decided_by", "decided_at", "decision"])
    announce(run.shards.filter(batch=0))
    return run


@action(VERB)
def refuse_run(actor: Actor, run_id: int, *, decision: str = "") -> Run:
    """End a run that waits for approval: it begins nowhere. Raises Denied, NotFound, Conflict."""
    run = _waiting(actor, run_id)
    _decide(actor, run, "jobs.run.refuse", decision)
    run.save(update_fields=["decided_by", "decided_at", "decision"])
    refuse(run)
    return run


def may_decide(actor: Actor, run: Run) -> bool:
    """Whether it is this actor's to decide on: a second person who may approve runs on all of its hosts."""
    try:
        _check(actor, run)
    except Denied:
        return False
    return True


def _check(actor: Actor, run: Run) -> None:
    require(actor, VERB, Item.objects.filter(pk__in=run.hosts.exclude(item=None).values("item")))
    if person_of(actor) == person_of(actor_of(run)):
        raise Denied(_("a second person is asked for"), hint=_("Somebody else who may approve runs decides on it."))


def _waiting(actor: Actor, run_id: int) -> Run:
    run_of(actor, run_id)
    run = Run.objects.select_for_update().get(pk=run_id)
    _check(actor, run)
    if run.state != RunState.APPROVAL:
        raise Conflict(
            _("run %(id)d is in state %(state)s") % {"id": run.pk, "state": RunState(run.state).label},
            hint=f"qd runs show {run.pk}",
        )
    return run


def _decide(actor: Actor, run: Run, verb: str, decision: str) -> None:
    run.decided_by, run.decided_at, run.decision = actor.name[:150], now(), decision[:500]
    record(actor, verb, run, run.title, before={"state": run.state}, reason=decision)


def refuse_old() -> None:
    """End runs for which nobody had a word in time: who wanted them may have forgotten them, and things change."""
    before = now() - timedelta(hours=settings.QD["approval_hours"])
    for pk in Run.objects.filter(state=RunState.APPROVAL, created_at__lt=before).values_list("pk", flat=True):
        with transaction.atomic():
            run = Run.objects.select_for_update().get(pk=pk)
            if run.state == RunState.APPROVAL:
                run.note = gettext_noop("Nobody approved it in time.")
                run.save(update_fields=["note"])
                record(SYSTEM.named("system:runs"), "jobs.run.refuse", run, run.title, reason="not approved in time")
                refuse(run)
