"""Releases as `sentry-cli releases` announces them, with their commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.api.sentry.answering import Made, body_of, project_of, text_of
from quarterdeck.api.shapes import moment
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.errors import commits
from quarterdeck.errors.artifacts.actions import UPLOAD
from quarterdeck.errors.commits import Told
from quarterdeck.errors.models import Issue, Release

LISTED = 100


def create(request: HttpRequest, actor: Actor, organization: str, project: str = "") -> Made:
    """Announce a release of the projects, with commits or refs if they are sent."""
    body = body_of(request)
    given = body.get("projects")
    projects = [project_of(one) for one in ([project] if project else given if isinstance(given, list) else [])[:20]]
    if not projects:
        raise BadInput(_("A release is of one project at least."), hint=_("Name it with --project."), field="projects")
    version = text_of(body, "version")
    return Made(_written(actor, [(one, version) for one in projects], body))


def update(request: HttpRequest, actor: Actor, organization: str, version: str, project: str = "") -> dict[str, Any]:
    """Change a release: of the projects that are named, else of all that have it."""
    body = body_of(request)
    given = [project] if project else body.get("projects") or []
    projects = [project_of(one) for one in given[:20]] if isinstance(given, list) else []
    if body.get("status") not in (None, "open"):
        raise BadInput(_("Releases cannot be archived here."), hint=_("Nothing was changed."), field="status")
    known = projects or list(_of(actor, version).values_list("project", flat=True))
    return _written(actor, [(one, version) for one in known], body)


def _of(actor: Actor, version: str) -> Any:
    require(actor, UPLOAD)
    found = Release.objects.filter(version=version).order_by("project")
    if not found.exists():
        raise NotFound(_('There is no release "%(version)s".') % {"version": version[:100]})
    return found


def _written(actor: Actor, where: list[tuple[int, str]], body: Mapping[str, Any]) -> dict[str, Any]:
    released_at, told = _time(body.get("dateReleased")), _commits(body)
    rows = []
    for project, version in where:
        row = commits.announce(actor, project, version, released_at=released_at)
        rows.append(row if told is None else commits.set_commits(actor, project, version, told))
    return row_of(rows)


def _commits(body: Mapping[str, Any]) -> list[Told] | None:
    """Return the commits of a body, None where it says nothing of them. Of a range (`refs`) only its end is known."""
    if isinstance(body.get("commits"), list):
        return [_told(one) for one in body["commits"] if isinstance(one, dict)]
    if isinstance(body.get("refs"), list):
        return [
            Told(str(one.get("commit")), str(one.get("repository") or ""))
            for one in body["refs"]
            if isinstance(one, dict)
        ]
    return None


def _told(one: Mapping[str, Any]) -> Told:
    patch = one.get("patch_set")
    changes = [change for change in (patch if isinstance(patch, list) else []) if isinstance(change, dict)]
    return Told(
        str(one.get("id") or ""),
        str(one.get("repository") or ""),
        str(one.get("author_name") or ""),
        str(one.get("author_email") or ""),
        str(one.get("message") or ""),
        _time(one.get("timestamp")),
        [str(change.get("path") or "") for change in changes],
    )


def _time(given: Any) -> datetime | None:
    if not isinstance(given, str):
        return None
    try:
        # Nine digits behind the point are more than Python reads.
        head, point, rest = given.partition(".")
        digits = rest.rstrip("Z").partition("+")[0].partition("-")[0]
        at = datetime.fromisoformat(f"{head}.{digits[:6]}{rest[len(digits) :]}" if point else given)
    except ValueError:
        raise BadInput(_('"%(text)s" is no time.') % {"text": given[:60]}, hint=_("Write it by ISO 8601.")) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def row_of(rows: list[Release]) -> dict[str, Any]:
    """Return one release of several projects as Sentry writes it."""
    first = rows[0]
    newest = first.commits.order_by("position").first()
    return {
        "version": first.version,
        "shortVersion": first.version,
        "url": None,
        "ref": None,
        "dateCreated": moment(first.first_seen),
        "dateReleased": moment(first.released_at),
        "lastEvent": moment(first.last_seen),
        "newGroups": Issue.objects.filter(project=first.project, first_release=first.version).count(),
        "commitCount": first.commits.count(),
        "lastCommit": {"id": newest.sha, "dateCreated": moment(newest.committed_at)} if newest else None,
        "projects": [{"id": row.project, "slug": str(row.project), "name": str(row.project)} for row in rows],
    }


def read(request: HttpRequest, actor: Actor, organization: str, version: str, project: str = "") -> dict[str, Any]:
    """Tell of one release."""
    return row_of(list(_of(actor, version)))


def list_(request: HttpRequest, actor: Actor, organization: str, project: str = "") -> list[dict[str, Any]]:
    """List the newest releases."""
    require(actor, UPLOAD)
    found = Release.objects.order_by("-first_seen", "-pk")
    if project:
        found = found.filter(project=project_of(project))
    return [row_of([row]) for row in found[:LISTED]]


def previous(request: HttpRequest, actor: Actor, organization: str, version: str) -> dict[str, Any]:
    """Tell of the newest release before this one that has commits, from which `set-commits` begins; {} for none."""
    of = list(_of(actor, version))
    before = Release.objects.filter(
        project__in=[row.project for row in of], first_seen__lte=of[0].first_seen, commits__isnull=False
    )
    found = before.exclude(version=version).order_by("-first_seen", "-pk").first()
    return row_of([found]) if found else {}


def repositories(request: HttpRequest, actor: Actor, organization: str) -> list[Any]:
    """Tell that no repository is known here, so that sentry-cli sends the commits of the one it runs in."""
    require(actor, UPLOAD)
    return []
