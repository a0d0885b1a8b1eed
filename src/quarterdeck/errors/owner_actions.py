"""The rules that say whose issues are: writing them, asking them, and assigning what is new."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.access.models import User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.errors.models import Activity, Issue, Ownership
from quarterdeck.errors.owning import Rule, Subject, match, parse, subject_of, subject_of_event
from quarterdeck.errors.sampling import Sample

OWNERS = "errors.owners"
_ASSIGNER = SYSTEM.named("system:owners")


def ownerships(actor: Actor) -> list[Ownership]:
    """Return the rules of every project that has some. Raises Denied."""
    require(actor, OWNERS)
    return list(Ownership.objects.order_by("project"))


@action(OWNERS)
def set_owners(actor: Actor, project: int, text: str, *, assigns: bool = True) -> None:
    """Write the rules of a project; without any, delete them. With `assigns`, new issues are assigned by them.

    Raises BadInput for a line that is no rule or names nobody.
    """
    rules = parse(text)
    _check_owners(rules)
    row = Ownership.objects.filter(project=project).first()
    before = {"text": row.text, "assigns": row.assigns} if row else None
    values = {"text": text.replace("\r\n", "\n"), "assigns": assigns}
    if rules:
        row, _made = Ownership.objects.update_or_create(project=project, defaults=values)
    elif row:
        row.delete()
    record(
        actor, "errors.set_owners", ("ownership", str(project), f"project {project}"), "",
        before=before, after=values if rules else None,
    )  # fmt: skip


def _check_owners(rules: list[Rule]) -> None:
    wanted = {owner: rule for rule in rules for owner in rule.owners}
    people = [owner for owner in wanted if not owner.startswith("#")]
    found = User.objects.filter(Q(username__in=people) | Q(email__in=people), is_active=True)
    known = {name for row in found.values_list("username", "email") for name in row}
    groups = {f"#{name}" for name in Group.objects.values_list("name", flat=True)}
    for owner, rule in wanted.items():
        if owner not in known and owner not in groups:
            names = [*User.objects.filter(is_active=True).values_list("username", flat=True)[:5000], *groups]
            raise BadInput(
                _('Line %(number)d: there is nobody called "%(name)s".') % {"number": rule.line, "name": owner[:60]},
                hint=did_you_mean(owner, names) or _("People by user name or e-mail address, groups as #name."),
                field="text",
            )


def owner_of(project: int, subject: Subject) -> Rule | None:
    """Return the rule that says whose it is, None for none."""
    row = Ownership.objects.filter(project=project).first()
    return match(parse(row.text), subject) if row else None


def tried(actor: Actor, project: int, text: str) -> Rule | None:
    """Return the rule that fits what is described as `path:src/pay.py tags.region:eu`. Raises Denied, BadInput."""
    require(actor, OWNERS)
    return owner_of(project, subject_of(text))


def assigning_projects() -> set[int]:
    """Return the projects whose new issues are assigned by rules."""
    return set(Ownership.objects.filter(assigns=True).values_list("project", flat=True))


def assign_new(issue: Issue, sample: Sample) -> None:
    """Assign an issue that was just made to the first person among its owners; a group is nobody's desk."""
    rule = owner_of(issue.project, subject_of_event(sample))
    person = _person(rule) if rule else None
    if rule is None or person is None:
        return
    Issue.objects.filter(pk=issue.pk).update(assignee=person)
    issue.assignee = person
    detail = {"assignee": person.username, "rule": str(rule)}
    Activity.objects.create(issue=issue, at=now(), kind="assigned", actor="", detail=detail)
    record(_ASSIGNER, "errors.assign", issue, issue.title, before={"assignee": ""}, after=detail)


def _person(rule: Rule) -> User | None:
    for owner in rule.owners:
        person = User.objects.filter(Q(username=owner) | Q(email=owner), is_active=True).first()
        if person and not owner.startswith("#"):
            return person
    return None
