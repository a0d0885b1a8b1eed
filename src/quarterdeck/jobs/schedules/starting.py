"""Starting what a schedule prepares, by whoever it is done for."""

from __future__ import annotations

from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.jobs.runs.actions import start_run
from quarterdeck.jobs.runs.models import Run
from quarterdeck.jobs.schedules.definitions import Plan
from quarterdeck.jobs.schedules.models import Schedule
from quarterdeck.jobs.templates.actions import start_template


def owner_of(schedule: Schedule) -> Actor:
    """Return who made the schedule what it is, with the rights that they have by now."""
    return Actor(ActorKind(schedule.owner_kind), schedule.owner, schedule.owner_id, auth_method="schedule")


def start(actor: Actor, schedule: Schedule, plan: Plan) -> Run:
    """Raises OpsError."""
    if plan.template:
        return start_template(
            actor, plan.template, plan.values, query=plan.query, is_check=plan.options.is_check, reason=plan.reason,
            schedule=schedule.name,
        )  # fmt: skip
    options = plan.options.options(plan.reason)
    return start_run(actor, plan.runner, plan.work, plan.query, options, schedule=schedule.name)
