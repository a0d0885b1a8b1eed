"""Groups of minified programs' events that are one error in the source: one issue, over builds.

Where there is a source map, the issue is told by the source's functions; where there is none, by what the event says of
itself, as if it were of any build. Like a rule it is asked when the first event of a group comes: maps have to be there
before the first error is.
"""

from __future__ import annotations

from quarterdeck.errors.models import Issue, IssueHash
from quarterdeck.errors.numbers import signed
from quarterdeck.errors.ruling import key_from
from quarterdeck.errors.sampling import Sample
from quarterdeck.telemetry.receivers.sentry import events, grouping
from quarterdeck.telemetry.receivers.sentry.values import objects


def is_of_build(sample: Sample) -> bool:
    """Whether what the group is has to be decided here."""
    if sample.event is None or sample.sent is None or not grouping.is_default(sample.fingerprint):
        return False
    exceptions = objects(sample.sent.get("exception"))
    return bool(sample.event.count or grouping.positions(sample.sent, exceptions))


def key_of(sample: Sample) -> str:
    """Return the key of the issue that a group of a build is, "" for other groups."""
    if not is_of_build(sample) or sample.event is None:
        return ""
    event = sample.event.payload
    message = events.messages_of(event)[0]
    kind = "source" if sample.event.count else "build"
    return key_from([kind, *grouping.default_parts(event, objects(event.get("exception")), message)])


def former(project: int, sample: Sample) -> Issue | None:
    """Return the issue of the same error from before builds were told apart, None where there is none."""
    if not is_of_build(sample) or sample.sent is None or (sample.event and sample.event.count):
        return None
    sent = sample.sent
    number = grouping.default_hash(sent, objects(sent.get("exception")), events.messages_of(sent)[0])
    found = IssueHash.objects.filter(project=project, grouping_hash=signed(number)).select_related("issue").first()
    return found.issue if found else None


def source_of(sample: Sample | None) -> str:
    """Return where in the source it happened, "" where no source map tells."""
    if sample is None or sample.event is None or not sample.event.count:
        return ""
    exceptions = objects(sample.event.payload.get("exception"))
    return events.culprit_of(sample.event.payload, exceptions[-1] if exceptions else {})
