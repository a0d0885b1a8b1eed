"""Host keys: by what hosts are recognized when they are reached by SSH, and who approved them."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, QueryText, UrlQuery, moment
from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.host_keys import actions, queries
from quarterdeck.jobs.host_keys.deciding import MAX_AT_ONCE
from quarterdeck.jobs.host_keys.importing import import_known_hosts
from quarterdeck.jobs.host_keys.models import HostKey

router = Router()
Asked = Annotated[UrlQuery, Query("", description="is:changed, state:pending, address:10.0.*, env:prod ...")]
_MAX_FILE = 8 << 20


class KeyItem(TypedDict):
    """The item that a host key belongs to."""

    id: int
    name: str


class HostKeyRow(TypedDict):
    """A host key. `state` is pending, approved or refused; `origin` of an approved one is operator, first_contact or
    known_hosts. While one that `is_change` is pending, `expected` holds the fingerprints that were approved there.
    """

    id: int
    address: str
    port: int
    algorithm: str
    fingerprint: str
    key: str
    state: str
    is_change: bool
    expected: list[str]
    item: KeyItem | None
    first_seen: str
    last_seen: str | None
    origin: str
    decided_by: str
    decided_at: str | None


class HostKeyPage(Schema):
    items: list[HostKeyRow]
    next: str | None


class ChosenKeys(Body):
    """Which keys: by their numbers, or all that a query selects."""

    ids: list[Id] | None = Field(None, max_length=MAX_AT_ONCE)
    query: QueryText | None = None


class KeysToApprove(ChosenKeys):
    """A query approves keys that wait; those that are another than the approved one only `with_changed`."""

    with_changed: bool = False


class Decided(TypedDict):
    """How many keys were in another state before."""

    changed: int


class KnownHosts(Body):
    """The text of a known_hosts file."""

    text: str = Field(min_length=1, max_length=_MAX_FILE)


class SkippedRow(TypedDict):
    """A line, or a name of it, that was not taken, and why."""

    line: int
    name: str
    reason: str


class ImportedRow(TypedDict):
    """How many keys are approved, or refused (@revoked), that were not before, and what was not taken."""

    approved: int
    refused: int
    unchanged: int
    skipped: list[SkippedRow]


def _row(key: HostKey, expected: list[HostKey]) -> HostKeyRow:
    return {
        "id": key.pk,
        "address": key.address,
        "port": key.port,
        "algorithm": key.algorithm,
        "fingerprint": key.fingerprint,
        "key": key.key,
        "state": key.state,
        "is_change": key.is_change,
        "expected": [one.fingerprint for one in expected],
        "item": {"id": key.item.pk, "name": key.item.name} if key.item else None,
        "first_seen": moment(key.first_seen) or "",
        "last_seen": moment(key.last_seen),
        "origin": key.origin,
        "decided_by": key.decided_by,
        "decided_at": moment(key.decided_at),
    }


@router.get("/host-keys", response=HostKeyPage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    q: Asked = "",
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List the host keys that a query selects, by their own fields and those of their items."""
    rows, cursor = by_id(queries.host_keys(identify(request), q), after, limit)
    expected = queries.expected(rows)
    return page(request, response, [_row(key, expected.get(key.pk, [])) for key in rows], cursor)


@router.post("/host-keys/approve", response=Decided)
def approve(request: HttpRequest, body: KeysToApprove) -> Decided:
    """Let host keys count. A changed one takes the place of those that were approved there."""
    actor = identify(request)
    ids = body.ids if body.ids is not None else queries.waiting(actor, _query(body), with_changed=body.with_changed)
    return {"changed": actions.approve(actor, ids)}


@router.post("/host-keys/refuse", response=Decided)
def refuse(request: HttpRequest, body: ChosenKeys) -> Decided:
    """Never let host keys count, also where they were approved."""
    actor = identify(request)
    return {
        "changed": actions.refuse(actor, body.ids if body.ids is not None else queries.selected(actor, _query(body)))
    }


@router.post("/host-keys/forget", response=Decided)
def forget(request: HttpRequest, body: ChosenKeys) -> Decided:
    """Delete what is known of host keys: what is shown next is new."""
    actor = identify(request)
    return {
        "changed": actions.forget(actor, body.ids if body.ids is not None else queries.selected(actor, _query(body)))
    }


def _query(body: ChosenKeys) -> str:
    """Return the query. Raises BadInput where neither is given: an empty one is meant when it is said."""
    if body.query is None:
        raise BadInput(_("neither ids nor a query is given"), hint=_("give one of them"), field="ids")
    return body.query


@router.post("/host-keys/import", response=ImportedRow)
def import_(request: HttpRequest, body: KnownHosts) -> ImportedRow:
    """Approve the keys of a known_hosts file. Where an operator decided otherwise, the file does not."""
    done = import_known_hosts(identify(request), body.text)
    skipped: list[SkippedRow] = [{"line": one.line, "name": one.name, "reason": one.reason} for one in done.skipped]
    return {"approved": done.approved, "refused": done.refused, "unchanged": done.unchanged, "skipped": skipped}
