"""What is done with templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from msgspec.structs import replace

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Stale
from quarterdeck.jobs.runners import runner_named
from quarterdeck.jobs.runs.actions import begin, shown_around
from quarterdeck.jobs.runs.models import Run
from quarterdeck.jobs.runs.planning import chosen
from quarterdeck.jobs.schedules.models import Schedule
from quarterdeck.jobs.templates import queries
from quarterdeck.jobs.templates.definitions import Definition, plain, read, shown
from quarterdeck.jobs.templates.models import Template
from quarterdeck.jobs.templates.rendering import check_places, rendered_query, rendered_work
from quarterdeck.jobs.templates.surveys import answered, check_field

VERB = "jobs.templates"
_RUN = "jobs.run"
# Pages and addresses of these names stand where a template's would.
_TAKEN = frozenset({"new", "library", "import"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@action(VERB)
def save_template(actor: Actor, name: str, definition: Any, *, version: int | None = None) -> Template:
    """Make the template `name`, or change it; what is the same already is left alone.

    `version` is the one that was read, 0 for none: Stale when it is no longer the newest. Raises Denied, BadInput.
    """
    values = plain(checked(actor, name, definition))
    found = Template.objects.select_for_update().filter(name=name).first()
    if version is not None and version != (found.version if found else 0):
        raise _stale(found)
    if found is not None and found.definition == values:
        return found
    before = shown_around(found.definition) if found else None
    template = found or Template(name=name, version=0)
    template.definition, template.version = values, template.version + 1
    template.changed_by, template.changed_at = actor.name[:150], now()
    template.save()
    detail = _("version %(number)d") % {"number": template.version}
    record(actor, "jobs.template.save", template, detail, before=before, after=shown_around(values))
    return template


def _stale(found: Template | None) -> Stale:
    if found is None:
        return Stale(_("the template is gone"), hint=_("save it under another name"))
    return Stale(
        _("%(name)s has changed the template since you read it") % {"name": found.changed_by},
        hint=_("open it again, and repeat your change"),
    )


def checked(actor: Actor, name: str, definition: Any) -> Definition:
    """Return what `save_template` would keep. Raises BadInput."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise BadInput(
            _('"%(name)s" cannot be a template\'s name') % {"name": name[:60]},
            hint=_("use small letters, digits, - and _"),
            field="name",
        )
    wanted = read(definition)
    if not shown(wanted.title).strip():
        raise BadInput(_("a template has a title"), field="title")
    names = [field.name for field in wanted.survey]
    if len(set(names)) != len(names):
        raise BadInput(_("two questions have the same name"), field="survey")
    for field in wanted.survey:
        check_field(actor, field)
    _check_work(wanted, names)
    return wanted


def _check_work(wanted: Definition, names: list[str]) -> None:
    how = runner_named(wanted.runner)
    check_places(how, wanted.work, wanted.query, names)
    options = wanted.options.options()
    options.check()
    if options.is_check and not how.checks:
        raise BadInput(_("this runner cannot tell what it would do"), field="options")
    defaults = {field.name: field.default for field in wanted.survey if field.default is not None}
    # What a place gets may be needed to tell whether the work is right; then it is told when it is started.
    if len(defaults) == len(names) or rendered_work(how, wanted.work, {}, ()) == wanted.work:
        how.read(rendered_work(how, wanted.work, defaults, names))


@action(VERB)
def delete_template(actor: Actor, name: str) -> None:
    """Delete a template; the runs of it stay. Raises Denied, NotFound, Conflict when a schedule starts it."""
    template = queries.template_of(actor, name)
    user = Schedule.objects.filter(template=name).first()
    if user is not None:
        raise Conflict(
            _('the schedule "%(name)s" starts it') % {"name": user.name}, hint=f"qd schedules delete {user.name}"
        )
    record(actor, "jobs.template.delete", template, before=shown_around(template.definition))
    template.delete()


@action(VERB)
def take_from_library(actor: Actor, name: str) -> Template:
    """Make a template of one that comes with the product. Raises Denied, NotFound."""
    found = queries.library_template(actor, name)
    return save_template(actor, found.name, found.definition)


@action(_RUN)
def start_template(
    actor: Actor,
    name: str,
    values: Mapping[str, Any],
    *,
    query: str = "",
    is_check: bool = False,
    reason: str = "",
    schedule: str = "",
) -> Run:
    """Start what a template prepares, with these answers. Where it has a query, `query` narrows that.

    Raises BadInput, BadQuery, Denied, NotFound.
    """
    template = queries.template_of(actor, name)
    wanted = read(template.definition)
    answers = answered(actor, wanted.survey, values)
    how = runner_named(wanted.runner)
    work = rendered_work(how, wanted.work, answers, [field.name for field in wanted.survey])
    ways = replace(wanted.options, is_check=wanted.options.is_check or is_check)
    selected = _narrowed(rendered_query(wanted.query, answers), query)
    return begin(
        actor,
        wanted.runner,
        work,
        chosen(actor, selected),
        ways.options(reason),
        query=selected,
        title=shown(wanted.title),
        template=template.name,
        template_version=template.version,
        answers=answers,
        schedule=schedule,
    )


def _narrowed(own: str, given: str) -> str:
    if not own.strip() or not given.strip():
        return (own.strip() or given).strip()
    return f"({own.strip()}) ({given.strip()})"
