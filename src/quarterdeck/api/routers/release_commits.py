"""The commits of releases, as builds tell them."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body, Id, moment
from quarterdeck.errors import commits, health
from quarterdeck.errors.artifacts.actions import PROJECT_MAX
from quarterdeck.errors.commits import Told
from quarterdeck.errors.models import Commit

router = Router()
Name = Annotated[str, Field(max_length=255)]


class CommitRow(TypedDict):
    """A commit; `files` are its paths in the repository."""

    sha: str
    repository: str
    author_name: str
    author_email: str
    message: str
    at: str | None
    files: list[str]


class ReleaseCommits(Schema):
    items: list[CommitRow]
    next: str | None


class CommitBody(Body):
    sha: str = Field(min_length=1, max_length=64)
    repository: Name = ""
    author_name: Name = ""
    author_email: Name = ""
    message: str = Field("", max_length=10_000)
    at: AwareDatetime | None = None
    files: list[Annotated[str, Field(max_length=500)]] = Field([], max_length=commits.FILES_MAX)


class ReleaseCommitsBody(Body):
    """The commits that a release brought, the newest first where they have no times."""

    project: int = Field(ge=0, le=PROJECT_MAX)
    version: str = Field(min_length=1, max_length=255)
    commits: list[CommitBody] = Field(max_length=commits.COMMITS_MAX)


def commit_row(commit: Commit) -> CommitRow:
    return {
        "sha": commit.sha,
        "repository": commit.repository,
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "message": commit.message,
        "at": moment(commit.committed_at),
        "files": [file.path for file in commit.files.all()],
    }


@router.put("/errors/releases/commits", response=ReleaseCommits)
def put(request: HttpRequest, body: ReleaseCommitsBody) -> dict[str, Any]:
    """Write the commits of a release, which is made if it is not there; "Fixes QD-7" in a message resolves issue 7."""
    told = [Told(**one.dict()) for one in body.commits]
    release = commits.set_commits(identify(request), body.project, body.version, told)
    return {"items": [commit_row(one) for one in commits.commits_of(release)], "next": None}


@router.get("/errors/releases/{int:release_id}/commits", response=ReleaseCommits)
def read(request: HttpRequest, release_id: Id) -> dict[str, Any]:
    """List the commits of a release, the newest first."""
    release = health.visible_release(identify(request), release_id)
    return {"items": [commit_row(one) for one in commits.commits_of(release)], "next": None}
