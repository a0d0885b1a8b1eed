"""Releases: their sessions, how many did not crash, how far they spread, what they brought."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.errors import window_of
from quarterdeck.api.shapes import Id, Line, UrlQuery, moment
from quarterdeck.errors import health
from quarterdeck.errors.health import Health

router = Router()


class ReleaseRow(TypedDict):
    """A release in a stretch of time. Shares are between 0 and 1, null where nothing was counted.

    `adoption` is the share of the project's sessions; `new_issues` were first seen in this release.
    """

    id: int
    project: int
    version: str
    first_seen: str | None
    last_seen: str | None
    sessions: int
    crashed: int
    abnormal: int
    errored: int
    users: int
    crashed_users: int
    crash_free_sessions: float | None
    crash_free_users: float | None
    adoption: float | None
    events: int
    new_issues: int


class ReleasePage(Schema):
    items: list[ReleaseRow]
    next: str | None


def _row(own: Health) -> dict[str, Any]:
    special = {"id": own.pk, "first_seen": moment(own.first_seen), "last_seen": moment(own.last_seen)}
    return {name: getattr(own, name) for name in ReleaseRow.__annotations__ if name not in special} | special


@router.get("/errors/releases", response=ReleasePage)
def list_(request: HttpRequest, q: UrlQuery = "", since: Line = "24h", until: Line = "") -> dict[str, Any]:
    """List releases with sessions or errors, the newest first: `q=release:shop@* environment:prod`."""
    found = health.releases(identify(request), q, window_of(since, until))
    return {"items": [_row(own) for own in found], "next": None}


@router.get("/errors/releases/{int:release_id}", response=ReleaseRow)
def read(request: HttpRequest, release_id: Id, since: Line = "24h", until: Line = "") -> dict[str, Any]:
    """Read one release."""
    return _row(health.get_release(identify(request), release_id, window_of(since, until)))
