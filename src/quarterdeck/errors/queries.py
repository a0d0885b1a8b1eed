"""Reading issues: what a query selects of those that the actor may see, in pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import compile_q, parse
from quarterdeck.errors.fields import IssueFields
from quarterdeck.errors.matching import Window
from quarterdeck.errors.models import Activity, Issue, Release, State
from quarterdeck.errors.scope import SEE, get_issue, issues_of, sources_of
from quarterdeck.inventory.queries.items import items
from quarterdeck.telemetry.turns import fairly

__all__ = ["SORTS", "Window", "activities", "get_issue", "issues", "last", "page", "people", "releases_of", "states"]

SORTS = {"last_seen": "last_seen", "first_seen": "first_seen", "events": "event_count", "users": "user_count"}
_PAGE_MAX = 500


def last(seconds: float) -> Window:
    """Return the window of so many seconds until now."""
    at = now()
    return Window(at - timedelta(seconds=seconds), at)


@fairly
def issues(
    actor: Actor, query: str = "", window: Window | None = None, *, selector: str = "", sort: str = "", verb: str = SEE
) -> QuerySet[Issue]:
    """Return the issues that the query selects, seen in the window if one is given, in order of `sort` ("-events").

    `selector` is an inventory query that limits the items that they came from. Raises Denied, BadQuery, BadInput.
    """
    found = issues_of(actor, verb)
    if query.strip():
        fields = IssueFields(actor, window or last(14 * 86_400))
        found = found.filter(compile_q(parse(query), fields))
    if window:
        found = found.filter(last_seen__gte=window.since, first_seen__lt=window.until)
    if selector.strip():
        found = found.filter(sources_of(items(actor, selector, verb=SEE)).issues)
    return found.order_by(*_order(sort)).select_related("assignee")


def _order(sort: str) -> tuple[str, str]:
    sign, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort)
    if not sort:
        sign, name = "-", "last_seen"
    if name not in SORTS:
        raise BadInput(
            _('Issues cannot be sorted by "%(name)s".') % {"name": name[:40]},
            hint=did_you_mean(name, SORTS) or _("Use one of %(names)s.") % {"names": ", ".join(SORTS)},
            field="sort",
        )
    return f"{sign}{SORTS[name]}", f"{sign}id"


def page(found: QuerySet[Issue], after: str = "", limit: int = 50) -> tuple[list[Issue], str]:
    """Return a page of `issues()` and the cursor of the next one, "" at the end. Raises BadInput."""
    limit = max(1, min(limit, _PAGE_MAX))
    column = str(found.query.order_by[0])
    if after:
        found = found.filter(_behind(column, after))
    rows = list(found[: limit + 1])
    if len(rows) <= limit:
        return rows, ""
    value = getattr(rows[limit - 1], column.lstrip("-"))
    number = round(value.timestamp() * 1e6) if isinstance(value, datetime) else value
    return rows[:limit], f"{number}.{rows[limit - 1].pk}"


def _behind(column: str, cursor: str) -> Q:
    number, _dot, pk = cursor.partition(".")
    if not (number.isdecimal() and pk.isdecimal() and len(number) < 19 and len(pk) < 19):
        raise BadInput(_("not a cursor of this list"), hint=_("send the `next` of the page before"), field="after")
    name, side = column.lstrip("-"), "lt" if column.startswith("-") else "gt"
    value: Any = _moment(int(number)) if name.endswith("_seen") else int(number)
    return Q(**{f"{name}__{side}e": value}) & (Q(**{f"{name}__{side}": value}) | Q(**{f"pk__{side}": int(pk)}))


def _moment(at_us: int) -> datetime:
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    try:
        return epoch + timedelta(microseconds=at_us)
    except OverflowError:
        raise BadInput(_("not a cursor of this list"), field="after") from None


def states(actor: Actor) -> dict[str, int]:
    """Return `{"unresolved": 3, "resolved": 1, "ignored": 0}` of all issues that the actor may see."""
    rows = issues_of(actor).order_by().values_list("state").annotate(n=Count("pk"))
    return dict.fromkeys(State.values, 0) | dict(rows)


def activities(actor: Actor, issue: Issue, limit: int = 100) -> list[Activity]:
    """Return what happened to an issue and to those that were merged into it, newest first."""
    get_issue(actor, issue.pk)
    found = Activity.objects.filter(Q(issue=issue) | Q(issue__merged_into=issue))
    return list(found.order_by("-at", "-pk")[:limit])


def releases_of(issue: Issue, limit: int = 20) -> list[Release]:
    """Return the releases in which an issue was seen, the newest first."""
    versions = issue.traits.filter(name="release").values("value")
    return list(Release.objects.filter(project=issue.project, version__in=versions).order_by("-first_seen")[:limit])


def people() -> list[User]:
    """Return who may be assigned."""
    return list(User.objects.filter(is_active=True).order_by("username"))
