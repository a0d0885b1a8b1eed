"""The recording of a terminal: as a file, and in pieces for the page that plays it."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.http import HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import BadInput
from quarterdeck.core.streams import attachment
from quarterdeck.jobs.files.pulled import safe_name
from quarterdeck.jobs.terminals import actions, output, queries
from quarterdeck.jobs.terminals.models import TerminalSession
from quarterdeck.jobs.terminals.recording import MEDIA_TYPE
from quarterdeck.web.pages import PageRequest, page

_SALT = "terminals.next"


@require_GET
@page()
def events(request: PageRequest, pk: int) -> HttpResponseBase:
    """Return `{"events": "lines of asciicast", "next": "...", "is_more": bool, "is_ended": bool}`.

    From the beginning, which is audited, or from where a piece before ended: its `next` is signed, so that nothing is
    read past the audit log.
    """
    after = _after(request, pk)
    session = actions.look_into(request.actor, pk) if after is None else queries.session_of(request.actor, pk)
    found = output.blocks(session, after or 0)
    return JsonResponse(
        {
            "events": b"".join(block.events for block in found).decode(),
            "next": _next(request, session, found[-1].number if found else after or 0),
            "is_more": bool(found),
            # Read before the blocks: an end that it tells of has all of them before it.
            "is_ended": session.is_ended,
        }
    )


def _next(request: PageRequest, session: TerminalSession, after: int) -> str:
    values: list[Any] = [session.pk, request.actor.kind.value, request.actor.id, after]
    return signing.dumps(values, salt=_SALT)


def _after(request: PageRequest, pk: int) -> int | None:
    """Return the block behind which to go on, None for who begins. Raises BadInput."""
    given = request.GET.get("next", "")
    if not given:
        return None
    try:
        session, kind, actor_id, after = signing.loads(given, salt=_SALT, max_age=86400)
    except signing.BadSignature:
        raise BadInput(_("this is not a place in a recording"), hint=_("load the page again")) from None
    if (session, kind, actor_id) != (pk, request.actor.kind.value, request.actor.id):
        raise BadInput(_("this is a place in another recording"), hint=_("load the page again"))
    return int(after)


@require_GET
@page()
def download(request: PageRequest, pk: int) -> HttpResponseBase:
    """The recording as a file that `asciinema play` and others take."""
    session = actions.look_into(request.actor, pk, "download")
    name = safe_name(f"terminal-{session.pk}-{session.name}")
    return attachment(output.cast(session), f"{name}.cast", MEDIA_TYPE)
