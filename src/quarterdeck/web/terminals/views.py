"""Pages of terminals: the list, the form, one that is open or that was."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may, require
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import queries as inventory
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.terminals import actions, queries
from quarterdeck.jobs.terminals.models import End, TerminalSession, TerminalState
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.middleware import policy
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.paging import newest_first
from quarterdeck.web.terminals.forms import TerminalForm

_FILTERS = (("", gettext_noop("All")), ("open", gettext_noop("Open")), ("ended", gettext_noop("Ended")))
_CONTAINERS = 200
_RECENT = 5
_ACTS = {
    "close": actions.close_session,
    "share": actions.share_session,
    "unshare": actions.unshare_session,
}


@require_GET
@page()
def terminals(request: PageRequest) -> HttpResponse:
    state, text = request.GET.get("state", ""), request.GET.get("q", "")[:200]
    found = queries.sessions(request.actor, states=[state] if state else [], text=text)
    rows, cursor = newest_first(found, request.GET.get("after", ""))
    context = {
        "rows": rows,
        "next_cursor": cursor,
        "query": text,
        "filters": _filters(state),
        "is_empty": not rows and not queries.sessions(request.actor).exists(),
    }
    return render(request, "web/terminals/list.html", context)


def _filters(state: str) -> list[dict[str, Any]]:
    address = reverse("web:terminals")
    return [
        {"title": _(title), "url": f"{address}?{urlencode({'state': one})}", "current": one == state}
        for one, title in _FILTERS
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.terminal")
def new(request: PageRequest) -> HttpResponseBase:
    """Open a terminal on the host `?item=`."""
    pk = request.GET.get("item", "")
    item = inventory.get_item(request.actor, int(pk) if pk.isdecimal() and len(pk) < 19 else 0)
    require(request.actor, queries.OPEN, item)
    form = TerminalForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            session = actions.open_session(request.actor, item.pk, **form.cleaned_data)
            return redirect("web:terminal", session.pk)
    context = {
        "form": form,
        "item": item,
        "containers": _containers(request, item),
        "idle_seconds": settings.QD["terminal_idle_seconds"],
        "recent": queries.sessions(request.actor, item=item)[:_RECENT],
    }
    return render(request, "web/terminals/new.html", context, status=form_status(form))


def _containers(request: PageRequest, item: Item) -> list[str]:
    """Return the names of the containers that the inventory knows on a host."""
    rows = inventory.relations(request.actor, item).filter(src__type__code="container")[:_CONTAINERS]
    return sorted({row.src.name for row in rows})


@require_GET
@page()
def terminal(request: PageRequest, pk: int) -> HttpResponse:
    """The terminal itself for the browser that it was opened for; everybody else sees its recording."""
    session = queries.session_of(request.actor, pk)
    is_own = queries.is_own(request.actor, session)
    is_live = is_own and session.state == TerminalState.WAITING
    words = _live_words() if is_live else _replay_words()
    context = {
        "session": session,
        "is_own": is_own,
        "is_watched": session.state == TerminalState.OPEN,
        "stream": f"/api/v1/terminals/{session.pk}/stream",
        "words": words,
        "words_json": json.dumps(words, ensure_ascii=False),
        "may_close": is_own or _may_watch_all(request, session),
        "again": _again(request, session),
    }
    answer = render(request, "web/terminals/live.html" if is_live else "web/terminals/replay.html", context)
    # xterm.js puts true colours into style attributes, which nothing else here may have.
    answer.headers["Content-Security-Policy"] = policy(request.csp_nonce, style_attributes=True)
    return answer


def _may_watch_all(request: PageRequest, session: TerminalSession) -> bool:
    return may(request.actor, queries.REPLAY, session.item) if session.item else may(request.actor, queries.REPLAY)


def _again(request: PageRequest, session: TerminalSession) -> str:
    """Return where another one is opened on the same host, "" when the actor may not."""
    if session.item is None or not may(request.actor, queries.OPEN, session.item):
        return ""
    return f"{reverse('web:terminal_new')}?item={session.item.pk}"


def _live_words() -> dict[str, str]:
    return {
        "connecting": _("Connecting…"),
        "open": _("Open, and recorded"),
        "idle": _("Nobody types: it is closed in {seconds} seconds."),
        "why-gone": _("The connection to Quarterdeck is lost. What ran in the terminal was ended."),
        **{f"why-{end.value}": str(end.label) for end in End},
    }


def _replay_words() -> dict[str, str]:
    return {
        "play": _("Play"),
        "pause": _("Pause"),
        "live": _("Live, about a second behind"),
        "ended": _("It has ended."),
        "gone": _("It is not shared any more."),
        "failed": _("The recording does not come at the moment; it is tried again."),
        "empty": _("Nothing is recorded of it, or it is kept no longer."),
    }


@require_POST
@page()
def act(request: PageRequest, pk: int) -> HttpResponseBase:
    """Share, share no more, or close, whichever button it was."""
    what = request.POST.get("act", "")
    if what not in _ACTS:
        raise BadInput(_("There is no such operation."), hint=", ".join(_ACTS))
    session = _ACTS[what](request.actor, pk)
    if request.htmx:
        return render(request, "web/terminals/share.html", {"session": session, "is_own": True})
    return redirect("web:terminal", session.pk)
