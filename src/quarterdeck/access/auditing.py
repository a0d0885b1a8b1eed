"""The audit log's doors: `audit` stands below this package and cannot ask who may read it."""

from __future__ import annotations

from collections.abc import Iterator

from quarterdeck.access.checks import action, require
from quarterdeck.audit import queries
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput

_FORMATS = {"jsonl": queries.export_jsonl, "csv": queries.export_csv}


def read(
    actor: Actor, query: str = "", *, before_seq: int | None = None, limit: int = 50
) -> tuple[list[AuditEvent], int | None]:
    """Return `(events, before_seq of the next page)`, newest first."""
    require(actor, "audit.view")
    return queries.page(query, before_seq=before_seq, limit=limit)


@action("audit.export")
def export(actor: Actor, query: str = "", format_: str = "jsonl") -> Iterator[bytes]:
    """Return the selected events as "jsonl" or "csv", in pieces. That it was exported is itself an event."""
    if format_ not in _FORMATS:
        raise BadInput(f'the audit log cannot be exported as "{format_}"', hint="jsonl or csv", field="format")
    queries.events(query)
    record(actor, "audit.export", None, query, after={"format": format_})
    return _FORMATS[format_](query)


@action("audit.view")
def verify(actor: Actor) -> queries.Verdict:
    """Check the whole log and note that it was checked."""
    verdict = queries.verify()
    record(
        actor, "audit.verify", None, verdict.reason or f"{verdict.checked} records are whole", after=verdict.as_dict()
    )
    return verdict
