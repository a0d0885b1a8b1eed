"""What people do with issues. Each takes the ids of the issues that it is about, of which the actor may edit all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.access.models import User
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Denied, NotFound, TooMany
from quarterdeck.core.names import did_you_mean
from quarterdeck.errors.digesting import note, refresh
from quarterdeck.errors.models import Issue, IssueHash, Release, Resolution, State
from quarterdeck.errors.numbers import signed
from quarterdeck.errors.releases import newest
from quarterdeck.errors.scope import EDIT, issues_of

ISSUES_MAX = 1000
COMMENT_MAX = 10_000
_NEXT = "next"
_OPEN = {"resolution": "", "resolved_at": None, "resolved_in": ""}
_HEARD = {"ignored_until": None, "ignored_count": None, "ignored_users": None}


def _editable(actor: Actor, ids: Sequence[int]) -> list[Issue]:
    """Return the issues. Raises NotFound for one that the actor cannot see, Denied for one that they cannot edit."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise BadInput(_("No issue is chosen."), hint=_("Tick some of the list."), field="ids")
    if len(wanted) > ISSUES_MAX:
        raise TooMany(
            _("More than %(limit)d issues are selected.") % {"limit": ISSUES_MAX},
            hint=_("Narrow the query and repeat."),
        )
    seen = set(issues_of(actor).filter(pk__in=wanted).values_list("pk", flat=True))
    if lost := [pk for pk in wanted if pk not in seen]:
        raise NotFound(_("There is no issue %(id)d.") % {"id": lost[0]}, hint=_("See the list of issues."))
    found = {issue.pk: issue for issue in issues_of(actor, EDIT).filter(pk__in=wanted).select_related("assignee")}
    if len(found) < len(wanted):
        raise Denied(
            _('%(actor)s lacks the permission "%(verb)s"') % {"actor": actor.name, "verb": EDIT},
            hint=_("An administrator grants it with a role, on the Access page."),
        )
    return [found[pk] for pk in wanted]


@action(EDIT)
def resolve(actor: Actor, ids: Sequence[int], *, release: str = "") -> int:
    """Resolve issues; return how many. An event after that opens them again.

    With a `release`, only events of it or of newer ones do; with "next", only those of a release newer than any there
    is. Raises NotFound, Denied, BadInput.
    """
    at = now()
    for issue in _editable(actor, ids):
        how, version = _resolution(issue, release)
        before = issue.state
        values = {"state": State.RESOLVED, "resolution": how, "resolved_at": at, "resolved_in": version}
        _change(issue, **values, **_HEARD, regressed_at=None)
        note(issue, "resolved", at, actor=actor.name, how=how, release=version)
        record(
            actor, "errors.resolve", issue, issue.title,
            before={"state": before}, after={"state": State.RESOLVED, "resolution": how, "release": version},
        )  # fmt: skip
    return len(set(ids))


def _resolution(issue: Issue, release: str) -> tuple[Resolution, str]:
    if not release:
        return Resolution.NOW, ""
    if release != _NEXT:
        return Resolution.IN_RELEASE, release[:255]
    known = Release.objects.filter(project=issue.project).order_by("-first_seen")[:1000]
    version = newest({row.version: row.first_seen for row in known})
    if not version:
        raise BadInput(
            _("Project %(id)d has no release yet.") % {"id": issue.project},
            hint=_("Set `release` in the SDK's options, or resolve without a release."),
            field="release",
        )
    return Resolution.AFTER_RELEASE, version


def _change(issue: Issue, **values: object) -> None:
    Issue.objects.filter(pk=issue.pk).update(**values)


@action(EDIT)
def reopen(actor: Actor, ids: Sequence[int]) -> int:
    """Make issues unresolved; return how many."""
    for issue in _editable(actor, ids):
        before = issue.state
        _change(issue, state=State.UNRESOLVED, **_OPEN, **_HEARD, regressed_at=None)
        note(issue, "reopened", now(), actor=actor.name)
        record(actor, "errors.reopen", issue, issue.title, before={"state": before}, after={"state": State.UNRESOLVED})
    return len(set(ids))


@action(EDIT)
def ignore(
    actor: Actor,
    ids: Sequence[int],
    *,
    until: datetime | None = None,
    events: int | None = None,
    users: int | None = None,
) -> int:
    """Ignore issues until a time, until so many more events or users, or for ever; return how many. Raises BadInput."""
    at = now()
    _check_limits(until, events, users, at)
    for issue in _editable(actor, ids):
        before = issue.state
        limits = {
            "ignored_until": until,
            "ignored_count": None if events is None else issue.event_count + events,
            "ignored_users": None if users is None else issue.user_count + users,
        }
        _change(issue, state=State.IGNORED, **_OPEN, **limits, regressed_at=None)
        detail = {"until": until.isoformat() if until else None, "events": events, "users": users}
        note(issue, "ignored", at, actor=actor.name, **detail)
        record(
            actor, "errors.ignore", issue, issue.title,
            before={"state": before}, after={"state": State.IGNORED, **detail},
        )  # fmt: skip
    return len(set(ids))


def _check_limits(until: datetime | None, events: int | None, users: int | None, at: datetime) -> None:
    if until and not at < until < at + timedelta(days=3650):
        raise BadInput(
            _("An issue can be ignored until a time within ten years."), hint=_("Choose a later time."), field="until"
        )
    for name, number in (("events", events), ("users", users)):
        if number is not None and not 0 < number <= 10**12:
            raise BadInput(_("Write a number of 1 or more."), hint=_("Leave it out for no limit."), field=name)


@action(EDIT)
def assign(actor: Actor, ids: Sequence[int], assignee: str = "") -> int:
    """Assign issues to a person by their user name, "me", or to nobody (""); return how many. Raises BadInput."""
    person = _person(actor, assignee) if assignee else None
    for issue in _editable(actor, ids):
        before = issue.assignee.username if issue.assignee else ""
        _change(issue, assignee=person)
        name = person.username if person else ""
        note(issue, "assigned", now(), actor=actor.name, assignee=name, before=before)
        record(actor, "errors.assign", issue, issue.title, before={"assignee": before}, after={"assignee": name})
    return len(set(ids))


def _person(actor: Actor, name: str) -> User:
    is_me = name == "me" and actor.kind == ActorKind.USER
    found = User.objects.filter(is_active=True)
    person = found.filter(pk=int(actor.id)).first() if is_me else found.filter(username=name).first()
    if person is None:
        raise BadInput(
            _('There is no person called "%(name)s".') % {"name": name[:60]},
            hint=did_you_mean(name, list(found.values_list("username", flat=True)[:5000])),
            field="assignee",
        )
    return person


@action(EDIT)
def merge(actor: Actor, ids: Sequence[int]) -> Issue:
    """Make several issues one: the first of `ids` takes the events of the others. Return it.

    Others keep their activity and lead to it by their number. Raises BadInput for fewer than two, or two projects.
    """
    target, *others = _editable(actor, ids)
    if not others:
        raise BadInput(_("Choose two issues or more to merge."), hint=_("Tick some of the list."), field="ids")
    if any(issue.project != target.project for issue in others):
        raise BadInput(_("Issues of different projects cannot be merged."), hint=_("Choose issues of one project."))
    numbers = [issue.pk for issue in others]
    IssueHash.objects.filter(issue__in=numbers).update(issue=target)
    Issue.objects.filter(merged_into__in=numbers).update(merged_into=target)
    Issue.objects.filter(pk__in=numbers).update(merged_into=target)
    note(target, "merged", now(), actor=actor.name, issues=numbers)
    record(
        actor, "errors.merge", target, f"{target.title}: {', '.join(f'#{number}' for number in numbers)}",
        after={"issues": numbers},
    )  # fmt: skip
    refresh([target.pk])
    target.refresh_from_db()
    return target


@action(EDIT)
def split(actor: Actor, pk: int, groups: Sequence[str]) -> Issue:
    """Take groups of events, named by their hash in hex, out of an issue into one of their own; return that.

    An issue that was merged with just these groups comes back under its number. Raises BadInput.
    """
    [issue] = _editable(actor, [pk])
    known = dict(issue.hashes.values_list("grouping_hash", "pk"))
    numbers = {signed(int(text, 16)) for text in groups if _is_hash(text)}
    if not numbers or not numbers < set(known) or len(numbers) < len(set(groups)):
        raise BadInput(
            _("Choose some of the issue's groups, but not all of them."),
            hint=_("They are listed under Grouping on the issue's page."),
            field="groups",
        )
    fresh = _split_off(issue)
    IssueHash.objects.filter(pk__in=[known[number] for number in numbers]).update(issue=fresh)
    names = sorted(groups)
    note(issue, "split", now(), actor=actor.name, into=fresh.pk, groups=names)
    note(fresh, "split", now(), actor=actor.name, out_of=issue.pk, groups=names)
    record(actor, "errors.split", issue, f"{issue.title}: #{fresh.pk}", after={"into": fresh.pk, "groups": names})
    refresh([issue.pk, fresh.pk])
    fresh.refresh_from_db()
    return fresh


def _is_hash(text: str) -> bool:
    return 0 < len(text) <= 16 and all(letter in "0123456789abcdefABCDEF" for letter in text)


def _split_off(issue: Issue) -> Issue:
    """Return an issue to take groups up: one that was merged away and has none, else a new one."""
    former = Issue.objects.filter(merged_into=issue, hashes=None).order_by("-pk").first()
    if former:
        former.merged_into = None
        former.save(update_fields=["merged_into"])
        return former
    return Issue.objects.create(
        project=issue.project, title=issue.title, first_seen=issue.first_seen, last_seen=issue.last_seen
    )


@action(EDIT)
def comment(actor: Actor, pk: int, text: str) -> None:
    """Write a comment into an issue's activity. Raises BadInput."""
    [issue] = _editable(actor, [pk])
    if not text.strip() or len(text) > COMMENT_MAX:
        raise BadInput(
            _("A comment has 1 to %(limit)d characters.") % {"limit": COMMENT_MAX}, hint=_("Shorten it."), field="text"
        )
    note(issue, "comment", now(), actor=actor.name, text=text.strip())
    record(actor, "errors.comment", issue, issue.title)
