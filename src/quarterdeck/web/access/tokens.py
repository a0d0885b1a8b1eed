"""Pages of tokens: everybody's for administrators, one's own for everybody who may have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access import actions
from quarterdeck.access.checks import may
from quarterdeck.access.models import Token
from quarterdeck.access.roles import tokens_of
from quarterdeck.audit.actor import ActorKind
from quarterdeck.core.clock import now
from quarterdeck.web.access.forms import TokenForm, role_title
from quarterdeck.web.forms import errors_into, form_status, next_of, posted
from quarterdeck.web.pages import PageRequest, page

_SHOWN = 500


def _state(token: Token) -> tuple[str, str]:
    if token.revoked_at:
        return "terminated", _("revoked")
    if token.expires_at and token.expires_at <= now():
        return "stopped", _("expired")
    return "active", _("active")


def _rows(tokens: Iterable[Token]) -> list[dict[str, Any]]:
    rows = []
    for token in tokens:
        state, title = _state(token)
        roles = [role_title(role) for role in token.roles.all()]
        owner = token.user.get_username() if token.user else ""
        rows.append(
            {"token": token, "roles": roles, "owner": owner, "state": state, "state_title": title, "may_revoke": True}
        )
    return rows


@require_GET
@page("access.view")
def tokens(request: PageRequest) -> HttpResponse:
    """All tokens for whoever manages access, else one's own."""
    context = {
        "tokens": _rows(tokens_of(request.actor)[:_SHOWN]),
        "may_manage": may(request.actor, "access.tokens"),
    }
    return render(request, "web/access/tokens.html", context)


@require_GET
@page("access.tokens")
def my_tokens(request: PageRequest) -> HttpResponse:
    """One's own tokens, beside one's profile."""
    mine = tokens_of(request.actor)
    if request.actor.kind is ActorKind.USER:
        mine = mine.filter(user_id=int(request.actor.id))
    return render(request, "web/accounts/tokens.html", {"tokens": _rows(mine[:_SHOWN])})


@require_http_methods(["GET", "HEAD", "POST"])
@page("access.tokens")
def new_token(request: PageRequest) -> HttpResponseBase:
    form = TokenForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            token, plain = actions.create_token(
                request.actor,
                form.cleaned_data["name"],
                form.cleaned_data["roles"],
                expires_at=form.expires_at(),
            )
            return _shown_once(request, token, plain)
    context = {
        "form": form,
        "title": _("New token"),
        "text": _("It can do what its roles grant and you may do yourself, never more."),
        "action": _("Make the token"),
        "back": reverse("web:my_tokens"),
    }
    return render(request, "web/access/form.html", context, status=form_status(form))


def _shown_once(request: PageRequest, token: Token, plain: str) -> HttpResponse:
    """Answer with the token's text in this page only: no redirect, so that no session keeps a secret."""
    mine = tokens_of(request.actor).filter(user=token.user)
    context = {"tokens": _rows(mine[:_SHOWN]), "plain": plain, "token_name": token.name}
    response = render(request, "web/accounts/tokens.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@page("access.tokens")
def revoke_token(request: PageRequest, pk: int) -> HttpResponseBase:
    token = actions.revoke_token(request.actor, pk)
    messages.success(request, _("Token %(name)s is revoked.") % {"name": token.name})
    return redirect(next_of(request, reverse("web:my_tokens")))
