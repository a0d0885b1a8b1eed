"""The audit log: read, export, verify."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.access import auditing
from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.paging import After, Id, Limit, id_cursor, page
from quarterdeck.api.shapes import Json, UrlQuery
from quarterdeck.audit.queries import event_record
from quarterdeck.core.errors import NotFound

router = Router()
_MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_FILE = file_answer(*_MEDIA.values())


class Who(TypedDict):
    kind: str
    id: str
    name: str
    auth_method: str


class What(TypedDict):
    kind: str
    id: str
    name: str


class AuditRow(TypedDict):
    """Who did what to what, and how it ended. Secrets stand in `before` and `after` as keyed digests only."""

    seq: int
    uuid: str
    at: str
    actor: Who
    verb: str
    object: What
    detail: str
    before: Json
    after: Json
    reason: str
    result: str
    error: str
    request_id: str
    source_ip: str
    user_agent: str
    prev_hash: str
    hash: str
    key_id: str


class AuditPage(Schema):
    items: list[AuditRow]
    next: str | None


class Verdict(Schema):
    """Whether the log is whole; else the first record that does not fit, and why."""

    ok: bool
    checked: int
    first_bad_seq: int | None
    reason: str
    checkpoints: int
    archives_missing: list[str]


@router.get("/audit", response=AuditPage)
def list_(
    request: HttpRequest, response: HttpResponse, q: UrlQuery = "", limit: Limit = 100, after: After = ""
) -> dict[str, Any]:
    """List what was done, newest first; `q=actor:ann verb:inventory* result:denied at:>-1d`."""
    rows, below = auditing.read(identify(request), q, before_seq=id_cursor(after), limit=limit)
    return page(request, response, [event_record(event) for event in rows], None if below is None else str(below))


@router.get("/audit/export", response={200: None}, openapi_extra=_FILE)
def export(request: HttpRequest, q: UrlQuery = "", format: Literal["jsonl", "csv"] = "jsonl") -> StreamingHttpResponse:  # noqa: A002
    """Answer the selected records as a file, oldest first."""
    pieces = auditing.export(identify(request), q, format)
    disposition = f'attachment; filename="audit.{format}"'
    return StreamingHttpResponse(pieces, content_type=_MEDIA[format], headers={"Content-Disposition": disposition})


@router.post("/audit/verify", response=Verdict)
def verify(request: HttpRequest) -> dict[str, Any]:
    """Check that no record was edited, removed, reordered or cut off."""
    return auditing.verify(identify(request)).as_dict()


@router.get("/audit/{int:seq}", response=AuditRow)
def read(request: HttpRequest, seq: Id) -> dict[str, Any]:
    """Read one record."""
    found, _below = auditing.read(identify(request), f"seq:{seq}", limit=1)
    if not found:
        raise NotFound(_("there is no record %(seq)s") % {"seq": seq})
    return event_record(found[0])
