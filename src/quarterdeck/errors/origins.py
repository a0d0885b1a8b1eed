"""Where an issue comes from, by one of its events: suspect commits, and the rule that says whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.audit.actor import Actor
from quarterdeck.errors import commits
from quarterdeck.errors.artifacts.resolving import resolved
from quarterdeck.errors.commits import Suspect
from quarterdeck.errors.events import Event, get_event
from quarterdeck.errors.models import Issue
from quarterdeck.errors.owner_actions import owner_of
from quarterdeck.errors.owning import Rule, subject_of_event
from quarterdeck.errors.reading import Reading, read
from quarterdeck.errors.sampling import Sample


@dataclass(frozen=True, slots=True)
class Origin:
    suspects: Sequence[Suspect]
    rule: Rule | None


def origin(actor: Actor, issue: Issue) -> Origin:
    """Return where an issue comes from by its newest event. Raises NotFound, Unavailable."""
    event = get_event(actor, issue)
    return origin_of(issue, event, read(resolved(event.payload, event.project).payload))


def origin_of(issue: Issue, event: Event, parts: Reading) -> Origin:
    """Return where an issue comes from by an event that was read already."""
    frames = [frame for thrown in parts.thrown for frame in thrown.frames]
    url = parts.request.url if parts.request else ""
    subject = subject_of_event(Sample({}, event.tags, frames, event.grouping_hash, url))
    return Origin(commits.suspects(issue, frames), owner_of(issue.project, subject))
