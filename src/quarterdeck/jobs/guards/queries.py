"""Reads of guard rules. Who may run something may see what will be asked of him."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import NotFound
from quarterdeck.jobs.guards.deciding import Deed, Met, met_by
from quarterdeck.jobs.guards.models import GuardRule
from quarterdeck.jobs.runners import runner_named
from quarterdeck.jobs.runs.planning import chosen


def rules(actor: Actor) -> QuerySet[GuardRule]:
    """Return all guard rules, by name. Raises Denied."""
    require(actor, "jobs.view")
    return GuardRule.objects.order_by("name")


def rule_of(actor: Actor, rule_id: int) -> GuardRule:
    """Raises Denied, NotFound."""
    found = rules(actor).filter(pk=rule_id).first()
    if found is None:
        raise NotFound(_("there is no guard rule %(id)d") % {"id": rule_id}, hint="qd guards list")
    return found


def tried(actor: Actor, runner: str, work: Mapping[str, Any], query: str) -> list[Met]:
    """Return the rules that a run would meet now, the strictest first; without a query, those that are about any host.

    Raises Denied, BadInput, BadQuery.
    """
    require(actor, "jobs.run")
    if verb := runner_named(runner).verb:
        require(actor, verb)
    hosts = chosen(actor, query) if query.strip() else []
    return met_by(Deed.of(runner, work, hosts, now()))
