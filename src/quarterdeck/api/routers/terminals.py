"""Terminals: which were opened, how they ended, and their recordings."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Id, moment
from quarterdeck.core.streams import in_background
from quarterdeck.jobs.terminals import actions, output, queries
from quarterdeck.jobs.terminals.models import TerminalSession
from quarterdeck.jobs.terminals.recording import MEDIA_TYPE

router = Router()


class TerminalRow(TypedDict):
    """A terminal. `state` is waiting (for its browser), open or ended, and `end` is why: exited, closed, left, idle,
    longest, full, unrecorded, withdrawn, refused, lost, stopped or vanished.

    `place` is `ops@web1`, or `ops@web1:shop` for a container of that host.
    """

    id: int
    item: int | None
    name: str
    container: str
    place: str
    state: str
    end: str
    error: str
    exit_code: int | None
    printed_bytes: int
    is_shared: bool
    reason: str
    actor: str
    created_at: str
    opened_at: str | None
    ended_at: str | None


class TerminalPage(Schema):
    items: list[TerminalRow]
    next: str | None


def row_of(session: TerminalSession) -> TerminalRow:
    return {
        "id": session.pk,
        "item": session.item_id,
        "name": session.name,
        "container": session.container,
        "place": session.place,
        "state": session.state,
        "end": session.end,
        "error": session.error,
        "exit_code": session.exit_code,
        "printed_bytes": session.printed_bytes,
        "is_shared": session.is_shared,
        "reason": session.reason,
        "actor": session.actor,
        "created_at": moment(session.created_at) or "",
        "opened_at": moment(session.opened_at),
        "ended_at": moment(session.ended_at),
    }


@router.get("/terminals", response=TerminalPage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    state: Annotated[str, Query("", max_length=40, description="waiting, open or ended; several with commas.")],
    q: Annotated[str, Query("", max_length=200, description="Part of a host's or a person's name.")],
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List terminals, newest first."""
    states = [name.strip() for name in state.split(",") if name.strip()]
    rows, cursor = by_id(queries.sessions(identify(request), states=states, text=q), after, limit, newest_first=True)
    return page(request, response, [row_of(session) for session in rows], cursor)


@router.get("/terminals/{int:terminal_id}", response=TerminalRow)
def read(request: HttpRequest, terminal_id: Id) -> TerminalRow:
    """Read one terminal."""
    return row_of(queries.session_of(identify(request), terminal_id))


@router.get("/terminals/{int:terminal_id}/recording", response={200: None}, openapi_extra=file_answer(MEDIA_TYPE))
def recording(request: HttpRequest, terminal_id: Id) -> StreamingHttpResponse:
    """Download a recording in the form of asciicast v2; of an open terminal as far as it is."""
    session = actions.look_into(identify(request), terminal_id, "download")
    return StreamingHttpResponse(in_background(output.cast(session)), content_type=MEDIA_TYPE)


@router.post("/terminals/{int:terminal_id}/close", response=TerminalRow)
def close(request: HttpRequest, terminal_id: Id) -> TerminalRow:
    """End a terminal that is open, within seconds."""
    return row_of(actions.close_session(identify(request), terminal_id))
