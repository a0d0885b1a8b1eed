"""What an operator decides on host keys: one or many at once, by their ids, so that it is what was looked at."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import NotFound, TooMany
from quarterdeck.jobs.host_keys import alarming
from quarterdeck.jobs.host_keys.deciding import CHUNK, MAX_AT_ONCE, decide, facts_of, keep_others_out, stored
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState, Origin
from quarterdeck.jobs.host_keys.scope import DECIDE, keys_of

DECIDED = ["state", "origin", "decided_by", "decided_at"]


@action(DECIDE)
def approve(actor: Actor, ids: Sequence[int]) -> int:
    """Let keys count from now on; return how many did not before. Raises Denied, NotFound, TooMany.

    A changed key takes the place of those that were approved there: they are refused from now on, because what the old
    host kept may still be in somebody's hands.
    """
    keep_others_out()
    at = now()
    rows = [row for row in _chosen(actor, ids) if row.state != HostKeyState.APPROVED]
    changed = [row for row in rows if row.is_alarm]
    replaced = _replaced_by(changed, {row.pk for row in rows})
    for row in rows:
        decide(row, HostKeyState.APPROVED, actor, at, Origin.OPERATOR)
        record(actor, "jobs.approve_host_key", row, "changed" if row in changed else "", after=facts_of(row))
    for row in replaced:
        decide(row, HostKeyState.REFUSED, actor, at)
        record(actor, "jobs.refuse_host_key", row, "another took its place", before=facts_of(row))
    HostKey.objects.bulk_update([*rows, *replaced], DECIDED, batch_size=CHUNK)
    alarming.end_alarm(changed, _("The changed host key was approved"), at, actor)
    return len(rows)


def _replaced_by(changed: Sequence[HostKey], approved: set[int]) -> list[HostKey]:
    places = {(row.address, row.port) for row in changed}
    return [row for row in stored(places) if row.state == HostKeyState.APPROVED and row.pk not in approved]


@action(DECIDE)
def refuse(actor: Actor, ids: Sequence[int]) -> int:
    """Never let keys count, also where they were approved; return how many were not refused before.

    Connections that are open with such a key end at their next use. Raises Denied, NotFound, TooMany.
    """
    keep_others_out()
    at = now()
    rows = [row for row in _chosen(actor, ids) if row.state != HostKeyState.REFUSED]
    changed = [row for row in rows if row.is_alarm]
    for row in rows:
        before = {**facts_of(row), "state": row.state}
        decide(row, HostKeyState.REFUSED, actor, at)
        record(actor, "jobs.refuse_host_key", row, before=before)
    HostKey.objects.bulk_update(rows, DECIDED, batch_size=CHUNK)
    alarming.end_alarm(changed, _("The changed host key was refused"), at, actor)
    return len(rows)


@action(DECIDE)
def forget(actor: Actor, ids: Sequence[int]) -> int:
    """Delete what is known of keys: what is shown at their places next is new. Raises Denied, NotFound, TooMany."""
    keep_others_out()
    rows = _chosen(actor, ids)
    changed = [row for row in rows if row.is_alarm]
    for row in rows:
        record(actor, "jobs.forget_host_key", row, before={**facts_of(row), "state": row.state})
    alarming.end_alarm(changed, _("The changed host key was forgotten"), now(), actor)
    for start in range(0, len(rows), CHUNK):
        HostKey.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)


def _chosen(actor: Actor, ids: Sequence[int]) -> list[HostKey]:
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MAX_AT_ONCE:
        raise TooMany(
            _("More than %(limit)d host keys are chosen.") % {"limit": MAX_AT_ONCE},
            hint=_("Narrow the query and repeat."),
        )
    found: dict[int, HostKey] = {}
    for start in range(0, len(wanted), CHUNK):
        found.update(keys_of(actor, DECIDE).in_bulk(wanted[start : start + CHUNK]))
    if lost := [pk for pk in wanted if pk not in found]:
        raise NotFound(
            _("There is no host key %(id)d that you may decide on.") % {"id": lost[0]},
            hint=_("See the list of host keys."),
        )
    return [found[pk] for pk in wanted]
