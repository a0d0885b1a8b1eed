"""The commits of releases, as builds tell them, and which of them an issue may have come with.

Releases are announced and given their commits by `sentry-cli releases new|set-commits`, by our API or `qd releases
commits`. A commit whose message says "Fixes QD-7" resolves issue 7 in the release that brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, may
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput
from quarterdeck.errors import actions
from quarterdeck.errors.artifacts.actions import UPLOAD
from quarterdeck.errors.models import Commit, CommitFile, Issue, Release, State
from quarterdeck.errors.reading import Frame
from quarterdeck.errors.scope import EDIT, issues_of

COMMITS_MAX = 1000
FILES_MAX = 20_000
SUSPECTS_MAX = 3
_SHA = re.compile("[0-9a-zA-Z_.-]{1,64}")
_FIXES = re.compile(r"\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?)[\s:]+QD-(\d{1,18})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """A commit as a build tells it; `files` are its paths in the repository, "" and () where not told."""

    sha: str
    repository: str = ""
    author_name: str = ""
    author_email: str = ""
    message: str = ""
    at: datetime | None = None
    files: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """A commit that touched `path`, in which an issue's frame is."""

    commit: Commit
    path: str


@action(UPLOAD)
def announce(actor: Actor, project: int, version: str, *, released_at: datetime | None = None) -> Release:
    """Note a release before anything of it is seen; return it. Raises BadInput."""
    if not version.strip() or len(version) > 255:
        raise BadInput(_("A release has 1 to 255 characters."), hint=_("For example shop@1.2.3"), field="version")
    at = now()
    release, is_made = Release.objects.get_or_create(
        project=project, version=version, defaults={"first_seen": at, "last_seen": at}
    )
    if is_made:
        record(actor, "errors.announce", release, version, after={"project": project})
    if released_at:
        before = release.released_at
        release.released_at = released_at
        release.save(update_fields=["released_at"])
        record(
            actor, "errors.release", release, version,
            before={"at": before.isoformat() if before else None}, after={"at": released_at.isoformat()},
        )  # fmt: skip
    return release


@action(UPLOAD)
def set_commits(actor: Actor, project: int, version: str, commits: Sequence[Told]) -> Release:
    """Write what a release brought in the place of what stood there, and resolve what it says it fixes.

    Commits without times are taken as given, the newest first. Raises BadInput.
    """
    _check(commits)
    release = announce(actor, project, version)
    if all(one.at for one in commits):
        commits = sorted(commits, key=lambda one: one.at or release.first_seen, reverse=True)
    release.commits.all().delete()
    rows = Commit.objects.bulk_create(_row(release, place, one) for place, one in enumerate(commits))
    CommitFile.objects.bulk_create(
        (
            CommitFile(commit=row, path=path)
            for row, one in zip(rows, commits, strict=True)
            for path in dict.fromkeys(_plain(path, 500) for path in one.files)
            if path
        ),
        batch_size=500,
    )
    record(actor, "errors.set_commits", release, version, after={"project": project, "commits": len(rows)})
    _resolve_fixed(actor, project, version, rows)
    return release


def _check(commits: Sequence[Told]) -> None:
    if len(commits) > COMMITS_MAX or sum(len(one.files) for one in commits) > FILES_MAX:
        raise BadInput(
            _("A release has at most %(commits)d commits with %(files)d files.")
            % {"commits": COMMITS_MAX, "files": FILES_MAX},
            hint=_("Send the newest ones only."),
            field="commits",
        )
    for one in commits:
        if not _SHA.fullmatch(one.sha):
            raise BadInput(
                _('"%(sha)s" is no commit.') % {"sha": one.sha[:70]}, hint=_("Send its SHA in hex."), field="commits"
            )


def _row(release: Release, place: int, one: Told) -> Commit:
    return Commit(
        release=release,
        position=place,
        sha=one.sha,
        repository=_plain(one.repository, 255),
        author_name=_plain(one.author_name, 255),
        author_email=_plain(one.author_email, 255),
        message=_plain(one.message, 1000),
        committed_at=one.at,
    )


def _plain(text: str, limit: int) -> str:
    return text.replace("\0", "").strip()[:limit]


def _resolve_fixed(actor: Actor, project: int, version: str, commits: Iterable[Commit]) -> None:
    """Resolve the issues that messages name, as far as the one who uploads may."""
    wanted = {int(number) for commit in commits for number in _FIXES.findall(commit.message)}
    if not wanted or not may(actor, EDIT):
        return
    found = issues_of(actor, EDIT).filter(pk__in=list(wanted)[:100], project=project, state=State.UNRESOLVED)
    if ids := list(found.values_list("pk", flat=True)):
        actions.resolve(actor, ids, release=version)


def commits_of(release: Release) -> list[Commit]:
    """Return the commits that a release brought, with their files, the newest first."""
    return list(release.commits.prefetch_related("files"))


def suspects(issue: Issue, frames: Sequence[Frame]) -> list[Suspect]:
    """Return the commits of the issue's first release that touched a file of its application's frames, newest first."""
    if not issue.first_release:
        return []
    own = [frame for frame in frames if frame.is_in_app] or list(frames)
    paths = list(dict.fromkeys(path for frame in own for path in (frame.filename, frame.path) if path))
    names = {path.replace("\\", "/").rsplit("/", 1)[-1] for path in paths}
    files = CommitFile.objects.filter(
        commit__release__project=issue.project, commit__release__version=issue.first_release
    ).order_by("commit__position", "pk")
    found: dict[int, str] = {}
    for commit, path in files.values_list("commit_id", "path"):
        if path.rsplit("/", 1)[-1] in names and any(is_same_file(one, path) for one in paths):
            found.setdefault(commit, path)
    commits = Commit.objects.in_bulk(list(found)[:SUSPECTS_MAX])
    return [Suspect(commits[pk], found[pk]) for pk in list(found)[:SUSPECTS_MAX]]


def is_same_file(frame: str, path: str) -> bool:
    """Whether a frame's path may be a repository's: one ends as the other is, "/srv/shop/pay.py" and "shop/pay.py"."""
    one, other = _parts(frame), _parts(path)
    length = min(len(one), len(other))
    return length > 0 and one[-length:] == other[-length:]


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
