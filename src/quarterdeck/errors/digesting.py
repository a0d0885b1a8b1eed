"""Keeping issues what their events say, as those come in.

The engine tells which groups got events since the last time; whatever changed is added up anew and written over what
stood there. So it does not matter how often, or whether twice at once, that is done. The last minutes are looked at
again each time: rows become visible some time after the engine took its time for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction

from quarterdeck.core.clock import now
from quarterdeck.errors import builds
from quarterdeck.errors.artifacts.resolving import PLATFORMS
from quarterdeck.errors.facts import Facts, Group, Span, changed, facts_of, sessions_since
from quarterdeck.errors.models import (
    Activity,
    FingerprintRule,
    Issue,
    IssueHash,
    Progress,
    Release,
    RuleKey,
    State,
    Trait,
    TraitName,
)
from quarterdeck.errors.numbers import signed, unsigned
from quarterdeck.errors.owner_actions import assign_new, assigning_projects
from quarterdeck.errors.returning import Return, return_of
from quarterdeck.errors.ruling import issue_by, key_of, rules_in_force
from quarterdeck.errors.sampling import Sample, sample_of

_NAME, _SESSIONS_NAME = "issues", "sessions"
_START = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = timedelta(minutes=2)
# Sessions have the time at which the intake took them; the engine gets them later when it was away.
_SESSIONS_AGAIN = timedelta(hours=1)
# What one transaction writes: a writer holds the only lock of SQLite.
CHUNK = 100
_FIELDS = (
    "title", "type", "culprit", "kind", "level", "platform", "logger", "service", "latest_event", "is_unhandled",
    "first_seen", "last_seen", "first_release", "last_release", "event_count", "user_count",
)  # fmt: skip


def digest() -> int:
    """Bring every issue with new events up to date; return how many. Raises Unavailable."""
    progress, _made = Progress.objects.get_or_create(name=_NAME, defaults={"at": _START})
    found = changed(max(progress.at - _AGAIN, _START))
    count = 0
    for start in range(0, len(found), CHUNK):
        part = found[start : start + CHUNK]
        count += update([group for group, _at in part])
        Progress.objects.filter(name=_NAME, at__lt=part[-1][1]).update(at=part[-1][1])
    digest_sessions()
    return count + wake()


def digest_sessions() -> None:
    """Note the releases that only sessions tell of; most run without an error."""
    progress, _made = Progress.objects.get_or_create(name=_SESSIONS_NAME, defaults={"at": _START})
    at = now()
    seen = sessions_since(max(progress.at - _SESSIONS_AGAIN, _START))
    with transaction.atomic():
        write_releases(seen)
        Progress.objects.filter(name=_SESSIONS_NAME, at__lt=at).update(at=at)


def update(groups: Sequence[Group]) -> int:
    """Bring the issues of these groups up to date, making those that are new; return how many changed."""
    unknown = [group for group in groups if group not in _issues_by_group(groups)]
    facts = facts_of({number: [group] for number, group in enumerate(unknown)})
    rules = rules_in_force()
    owned = assigning_projects()
    samples = {
        number: _sample(unknown[number], found, bool(rules) or unknown[number][0] in owned)
        for number, found in facts.items()
    }
    with transaction.atomic():
        for number, sample in samples.items():
            made = _make(unknown[number], facts[number], sample, rules)
            if made and sample and made.project in owned:
                assign_new(made, sample)
    return refresh(set(_issues_by_group(groups).values()))


def _issues_by_group(groups: Sequence[Group]) -> dict[Group, int]:
    """Return `{group: issue}` of those groups that have one."""
    numbers = [signed(number) for _project, number in groups]
    rows = IssueHash.objects.filter(project__in={project for project, _number in groups}, grouping_hash__in=numbers)
    found = rows.values_list("project", "grouping_hash", "issue_id")
    return {(project, unsigned(number)): issue for project, number, issue in found}


def _sample(group: Group, facts: Facts, is_asked_for: bool) -> Sample | None:
    """Return an event of a new group where one has to be looked at; most need none."""
    is_wanted = is_asked_for or facts.latest.platform in PLATFORMS
    return sample_of(group, facts.latest.event_id) if is_wanted else None


def _make(group: Group, facts: Facts, sample: Sample | None, rules: Sequence[FingerprintRule]) -> Issue | None:
    """Return the issue that was made of a group, or add the group to the one that it is by a rule or by its source.

    Another process may have made it in between: then that one stays.
    """
    ruled = key_of(sample, rules) if sample else ""
    key = ruled or (builds.key_of(sample) if sample else "")
    known = issue_by(group[0], key) if key else None
    if known is None and sample and not ruled:
        known = builds.former(group[0], sample)
    if known:
        IssueHash.objects.get_or_create(project=group[0], grouping_hash=signed(group[1]), defaults={"issue": known})
        return None
    issue = Issue(project=group[0])
    issue.source = _cut(issue, "source", builds.source_of(sample))
    _apply(issue, facts)
    issue.save()
    own = {"project": issue.project, "grouping_hash": signed(group[1])}
    if IssueHash.objects.get_or_create(**own, defaults={"issue": issue})[1]:
        _write_traits(issue, facts)
        note(issue, "first_seen", facts.seen.first, release=issue.first_release)
        if key:
            RuleKey.objects.create(project=issue.project, key=key, issue=issue)
        return issue
    issue.delete()
    return None


def refresh(issues: Iterable[int]) -> int:
    """Write what the engine knows of these issues over what stands there; return how many changed."""
    facts = facts_of(groups_of(issues))
    with transaction.atomic():
        rows = list(Issue.objects.select_for_update().filter(pk__in=facts))
        for row in rows:
            _write_releases(row.project, facts[row.pk].releases)
        written = [row for row in rows if _apply(row, facts[row.pk])]
        Issue.objects.bulk_update(written, _FIELDS)
        for row in written:
            _write_traits(row, facts[row.pk])
        _open_again(rows, facts)
    return len(written)


def groups_of(issues: Iterable[int]) -> dict[int, list[Group]]:
    """Return `{issue: [(project, grouping_hash)]}` in the engine's numbers."""
    found: dict[int, list[Group]] = defaultdict(list)
    rows = IssueHash.objects.filter(issue__in=list(issues)).values_list("issue_id", "project", "grouping_hash")
    for issue, project, number in rows:
        found[issue].append((project, unsigned(number)))
    return dict(found)


def _apply(issue: Issue, facts: Facts) -> bool:
    """Set the fields that the facts give; return whether one of them is another than before."""
    latest = facts.latest
    by_time = sorted(facts.releases, key=lambda version: facts.releases[version].first)
    last = max(facts.releases, key=lambda version: facts.releases[version].last, default="")
    values = {
        "title": _cut(issue, "title", latest.title) or "-",
        "type": _cut(issue, "type", latest.type),
        "culprit": issue.source or _cut(issue, "culprit", latest.culprit),
        "kind": _cut(issue, "kind", latest.kind),
        "level": _cut(issue, "level", latest.level),
        "platform": _cut(issue, "platform", latest.platform),
        "logger": _cut(issue, "logger", latest.logger),
        "service": _cut(issue, "service", latest.service),
        "latest_event": _cut(issue, "latest_event", latest.event_id),
        "is_unhandled": facts.is_unhandled,
        "first_seen": facts.seen.first,
        "last_seen": facts.seen.last,
        "first_release": by_time[0][:255] if by_time else "",
        "last_release": last[:255],
        "event_count": facts.events,
        "user_count": facts.users,
    }
    before = [getattr(issue, name) for name in values]
    for name, value in values.items():
        setattr(issue, name, value)
    return before != list(values.values())


def _cut(issue: Issue, name: str, text: str) -> str:
    """Return as much of a text as the field takes; PostgreSQL takes no NUL."""
    length: int = issue._meta.get_field(name).max_length  # type: ignore[assignment, union-attr]
    return text.replace("\0", "")[:length]


def _write_releases(project: int, seen: Mapping[str, Span]) -> None:
    write_releases({(project, version): span for version, span in seen.items()})


def write_releases(seen: Mapping[tuple[int, str], Span]) -> None:
    """Make the releases that are new, and let the others begin earlier and end later where that was seen."""
    known = {
        (row.project, row.version): row
        for row in Release.objects.filter(version__in={version[:255] for _project, version in seen})
    }
    fresh, later = [], []
    for (project, version), span in seen.items():
        row = known.get((project, version[:255]))
        if row is None:
            fresh.append(Release(project=project, version=version[:255], first_seen=span.first, last_seen=span.last))
        elif span.first < row.first_seen or span.last > row.last_seen:
            row.first_seen, row.last_seen = min(span.first, row.first_seen), max(span.last, row.last_seen)
            later.append(row)
    Release.objects.bulk_create(fresh, ignore_conflicts=True)
    Release.objects.bulk_update(later, ["first_seen", "last_seen"])


def _write_traits(issue: Issue, facts: Facts) -> None:
    seen = {
        **{(TraitName.RELEASE, version): span for version, span in facts.releases.items()},
        **{(TraitName.ENVIRONMENT, name): span for name, span in facts.environments.items()},
        **{(TraitName.SERVICE, name): facts.seen for name in facts.services},
        **{(TraitName.SENDER, f"{sender:016x}"): facts.seen for sender in facts.senders},
    }
    rows = [
        Trait(issue=issue, name=name, value=value.replace("\0", "")[:255], first_seen=span.first, last_seen=span.last)
        for (name, value), span in seen.items()
    ]
    unique = {(row.name, row.value): row for row in rows}
    Trait.objects.bulk_create(
        unique.values(),
        update_conflicts=True,
        unique_fields=["issue", "name", "value"],
        update_fields=["first_seen", "last_seen"],
    )
    # What went to another issue by a split is no longer this one's.
    gone = [pk for pk, *key in issue.traits.values_list("pk", "name", "value") if tuple(key) not in unique]
    Trait.objects.filter(pk__in=gone).delete()


def _open_again(rows: Sequence[Issue], facts: Mapping[int, Facts]) -> None:
    for row in rows:
        if row.state == State.UNRESOLVED:
            continue
        versions = {*facts[row.pk].releases, row.resolved_in}
        known = Release.objects.filter(project=row.project, version__in=versions)
        found = return_of(row, facts[row.pk], dict(known.values_list("version", "first_seen")), now())
        if found:
            _open(row, found)


def _open(issue: Issue, why: Return) -> None:
    """Open an issue unless somebody changed its state in between."""
    at = now()
    values: dict[str, object] = {"state": State.UNRESOLVED, "ignored_until": None, "ignored_count": None}
    values |= {"ignored_users": None, "resolution": "", "resolved_at": None, "resolved_in": ""}
    if why.kind == "regressed":
        values["regressed_at"] = at
    same = Issue.objects.filter(pk=issue.pk, state=issue.state, resolved_at=issue.resolved_at)
    if same.update(**values):
        note(issue, why.kind, at, release=why.release)


def wake() -> int:
    """Open the issues that were ignored until a time that is over; return how many."""
    due = list(Issue.objects.filter(state=State.IGNORED, ignored_until__lte=now())[:1000])
    with transaction.atomic():
        for issue in due:
            _open(issue, Return("unignored"))
    return len(due)


def note(issue: Issue, kind: str, at: datetime, *, actor: str = "", **detail: object) -> None:
    """Write into an issue's activity; empty details are left out."""
    kept = {name: value for name, value in detail.items() if value not in ("", None)}
    Activity.objects.create(issue=issue, at=at, kind=kind, actor=actor[:150], detail=kept)
