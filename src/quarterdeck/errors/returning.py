"""When an issue that was resolved or ignored is open again: its regression, or the end of what it was ignored for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.errors.facts import Facts
from quarterdeck.errors.models import Issue, Resolution, State
from quarterdeck.errors.releases import is_newer


@dataclass(frozen=True, slots=True)
class Return:
    """An issue is open again: `kind` is "regressed" or "unignored"; `release` is the one that it came back in."""

    kind: str
    release: str = ""


def return_of(issue: Issue, facts: Facts, first_seen: Mapping[str, datetime], at: datetime) -> Return | None:
    """Return why an issue is to be opened at `at`, None while it is not. `first_seen` is of its project's releases."""
    if issue.state == State.RESOLVED:
        return _regression(issue, facts, first_seen)
    if issue.state == State.IGNORED and _is_over(issue, facts, at):
        return Return("unignored")
    return None


def _regression(issue: Issue, facts: Facts, first_seen: Mapping[str, datetime]) -> Return | None:
    since = issue.resolved_at
    if since is None or facts.seen.last <= since:
        return None
    later = [version for version, span in facts.releases.items() if span.last > since]
    if issue.resolution != Resolution.NOW:
        later = [version for version in later if _is_back_in(version, issue, first_seen)]
    if later:
        return Return("regressed", max(later, key=lambda version: facts.releases[version].last))
    # An event that does not tell its release might be of any.
    return Return("regressed") if any(span.last > since for span in facts.nameless) else None


def _is_back_in(version: str, issue: Issue, first_seen: Mapping[str, datetime]) -> bool:
    if version == issue.resolved_in:
        return issue.resolution == Resolution.IN_RELEASE
    return is_newer(version, issue.resolved_in, first_seen)


def _is_over(issue: Issue, facts: Facts, at: datetime) -> bool:
    return (
        (issue.ignored_until is not None and issue.ignored_until <= at)
        or (issue.ignored_count is not None and facts.events >= issue.ignored_count)
        or (issue.ignored_users is not None and facts.users >= issue.ignored_users)
    )
