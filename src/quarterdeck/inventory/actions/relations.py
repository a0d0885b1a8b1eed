"""Relations by hand, and events on timelines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.inventory.models import Item, Relation, TimelineEvent
from quarterdeck.inventory.writing.drafts import Pen
from quarterdeck.inventory.writing.effective import MANUAL
from quarterdeck.inventory.writing.relate import write_changes

_TYPE = re.compile(r"[a-z][a-z0-9_]{0,31}")
SEVERITIES = ("info", "notice", "warning", "error", "critical")


@action("inventory.edit")
def relate(actor: Actor, src: Item, type: str, dst: Item) -> Relation:  # noqa: A002
    """Relate `src` to `dst`: a container `runs_on` a host. Idempotent. Raises BadInput for a loop or an odd type."""
    require(actor, "inventory.edit", [src, dst])
    if not _TYPE.fullmatch(type):
        raise BadInput(
            _('"%(type)s" is not a relation type.') % {"type": type[:40]},
            hint=_("Use small letters, digits and _, such as runs_on or depends_on."),
            field="type",
        )
    if src.pk == dst.pk:
        raise BadInput(_("An item cannot be related to itself."), hint=_("Choose another target."), field="dst")
    at = now()
    relation, is_new = Relation.objects.get_or_create(
        src=src, dst=dst, type=type, defaults={"source": MANUAL, "first_seen": at, "last_seen": at}
    )
    if is_new:
        write_changes([(src.pk, type, None, dst.pk)], Pen(actor, MANUAL, "", at))
        record(actor, "inventory.relate", src, f"{type} {dst.name}", after={"type": type, "target": dst.pk})
    return relation


@action("inventory.edit")
def unrelate(actor: Actor, src: Item, type: str, dst: Item) -> None:  # noqa: A002
    """Remove a relation; one that a source reports comes back with its next pass. Raises NotFound."""
    require(actor, "inventory.edit", [src, dst])
    count, _rows = Relation.objects.filter(src=src, dst=dst, type=type).delete()
    if not count:
        raise NotFound(
            _('"%(src)s" has no relation %(type)s to "%(dst)s".') % {"src": src.name, "type": type, "dst": dst.name},
            hint=_("It may have been removed already."),
        )
    write_changes([(src.pk, type, dst.pk, None)], Pen(actor, MANUAL, "", now()))
    record(actor, "inventory.unrelate", src, f"{type} {dst.name}", before={"type": type, "target": dst.pk})


@action("inventory.edit")
def add_event(
    actor: Actor,
    item: Item | None,
    kind: str,
    title: str,
    *,
    detail: Mapping[str, Any] | None = None,
    severity: str = "info",
    at: datetime | None = None,
) -> TimelineEvent:
    """Write an event to the timeline of an item, or of the whole fleet without one. `kind` is "deploy.finished"."""
    if item is not None:
        require(actor, "inventory.edit", item)
    if severity not in SEVERITIES:
        raise BadInput(
            _('"%(severity)s" is not a severity.') % {"severity": severity[:20]},
            hint=_("Use one of %(names)s.") % {"names": ", ".join(SEVERITIES)},
            field="severity",
        )
    event = TimelineEvent.objects.create(
        item=item, at=at or now(), kind=kind[:40], severity=severity, title=title[:255], detail=dict(detail or {}),
        actor=actor.name[:150],
    )  # fmt: skip
    record(actor, "inventory.event", item, f"{kind}: {title}"[:200])
    return event
