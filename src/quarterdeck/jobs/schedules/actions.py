"""What is done with schedules."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Stale
from quarterdeck.inventory.queries.items import items
from quarterdeck.jobs.files.actions import hold
from quarterdeck.jobs.runners import runner_named
from quarterdeck.jobs.runs.actions import shown_around
from quarterdeck.jobs.runs.models import Run
from quarterdeck.jobs.schedules import queries
from quarterdeck.jobs.schedules.definitions import Plan, plain, read
from quarterdeck.jobs.schedules.models import Firing, Outcome, Schedule
from quarterdeck.jobs.schedules.starting import start
from quarterdeck.jobs.schedules.times import Rhythm, rhythm_of
from quarterdeck.jobs.templates import definitions
from quarterdeck.jobs.templates.queries import template_of
from quarterdeck.jobs.templates.surveys import answered

VERB = "jobs.schedules"
_RUN = "jobs.run"
_TAKEN = frozenset({"new"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@action(VERB)
def save_schedule(
    actor: Actor, name: str, plan: Any, *, is_enabled: bool | None = None, version: int | None = None
) -> Schedule:
    """Make the schedule `name`, or change it; who does becomes its owner, with whose rights it runs.

    `version` is the one that was read, 0 for none: Stale when it is no longer the newest. Raises Denied, BadInput.
    """
    require(actor, _RUN)
    wanted, at = _checked(actor, name, plan), now()
    found = Schedule.objects.select_for_update().filter(name=name).first()
    if version is not None and version != (found.version if found else 0):
        raise _stale(found)
    before = {**shown_around(found.plan), "owner": found.owner} if found else None
    schedule = found or Schedule(name=name, version=0)
    schedule.plan, schedule.template, schedule.anchor_at = plain(wanted), wanted.template, at
    schedule.is_enabled = schedule.is_enabled if is_enabled is None else is_enabled
    schedule.next_run_at = _next(rhythm_of(wanted, at)) if schedule.is_enabled else None
    schedule.owner, schedule.owner_kind, schedule.owner_id = actor.name[:150], actor.kind.value, actor.id
    schedule.language, schedule.changed_at = get_language() or "", at
    schedule.version += 1
    schedule.save()
    if not schedule.is_enabled:
        _skip_waiting(schedule)
    after = {**shown_around(schedule.plan), "owner": schedule.owner}
    record(actor, "jobs.schedule.save", schedule, reason=wanted.reason, before=before, after=after)
    return schedule


def _stale(found: Schedule | None) -> Stale:
    if found is None:
        return Stale(_("the schedule is gone"), hint=_("save it under another name"))
    return Stale(
        _("%(name)s has changed the schedule since you read it") % {"name": found.owner},
        hint=_("open it again, and repeat your change"),
    )


def _next(rhythm: Rhythm) -> Any:
    """Raises BadInput for a schedule that is never due."""
    found = rhythm.after(now())
    if found is None and rhythm.once is not None and rhythm.once <= now():
        raise BadInput(_("this time has passed"), field="at")
    if found is None:
        raise BadInput(
            _("it would never be due"), hint=_("look at its days, and at those it leaves out"), field="not_on"
        )
    return found


def _checked(actor: Actor, name: str, values: Any) -> Plan:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise BadInput(
            _('"%(name)s" cannot be a schedule\'s name') % {"name": name[:60]},
            hint=_("use small letters, digits, - and _"),
            field="name",
        )
    plan = read(values)
    if bool(plan.template) == bool(plan.work):
        raise BadInput(_("a schedule has a template or work of its own"), field="template")
    own = _check_template(actor, plan) if plan.template else _check_work(actor, plan)
    if not own.strip() and not plan.query.strip():
        raise BadInput(_("the query is empty"), hint="type:host env:lab", field="query")
    if plan.query.strip():
        items(actor, plan.query)
    rhythm_of(plan, now())
    return plan


def _check_template(actor: Actor, plan: Plan) -> str:
    """Return the template's own query."""
    wanted = definitions.read(template_of(actor, plan.template).definition)
    answered(actor, wanted.survey, plan.values)
    if plan.options != definitions.Ways(is_check=plan.options.is_check):
        raise BadInput(_("the options are those of the template"), field="options")
    return wanted.query


def _check_work(actor: Actor, plan: Plan) -> str:
    how = runner_named(plan.runner)
    if how.verb:
        require(actor, how.verb)
    work = how.read(plan.work)
    if how.needs is not None:
        hold(how.needs(work))
    plan.options.options().check()
    if plan.options.is_check and not how.checks:
        raise BadInput(_("this runner cannot tell what it would do"), field="options")
    if plan.values:
        raise BadInput(_("only a template asks for values"), field="values")
    return ""


@action(VERB)
def switch_schedule(actor: Actor, name: str, *, is_enabled: bool) -> Schedule:
    """Switch a schedule on or off. On, it is due from now on: what was missed meanwhile is not made up for.

    Raises BadInput for one that would never be due any more.
    """
    queries.schedule_of(actor, name)
    schedule = Schedule.objects.select_for_update().get(name=name)
    if schedule.is_enabled == is_enabled:
        return schedule
    rhythm = rhythm_of(read(schedule.plan), schedule.anchor_at)
    schedule.is_enabled, schedule.next_run_at = is_enabled, _next(rhythm) if is_enabled else None
    schedule.version += 1
    schedule.save(update_fields=["is_enabled", "next_run_at", "version"])
    if not is_enabled:
        _skip_waiting(schedule)
    record(actor, "jobs.schedule.switch", schedule, after={"is_enabled": is_enabled})
    return schedule


def _skip_waiting(schedule: Schedule) -> None:
    Firing.objects.filter(schedule=schedule, outcome=Outcome.WAITING).update(outcome=Outcome.SKIPPED)


@action(VERB)
def delete_schedule(actor: Actor, name: str) -> None:
    """Delete a schedule with its history; its runs stay. Raises Denied, NotFound."""
    queries.schedule_of(actor, name)
    schedule = Schedule.objects.select_for_update().get(name=name)
    record(actor, "jobs.schedule.delete", schedule, before=shown_around(schedule.plan))
    schedule.delete()


@action(_RUN)
def run_schedule(actor: Actor, name: str) -> Run:
    """Start now what a schedule prepares, with the rights of who asks. Raises OpsError."""
    schedule = queries.schedule_of(actor, name)
    run, at = start(actor, schedule, read(schedule.plan)), now()
    Firing.objects.create(schedule=schedule, due_at=at, at=at, outcome=Outcome.STARTED, run=run, is_by_hand=True)
    return run
