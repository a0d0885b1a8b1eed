"""What makes a view a page: somebody is signed in and may use it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from quarterdeck.access.actors import actor_of
from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.errors import Denied

P = ParamSpec("P")


class PageRequest(HttpRequest):
    """A request that went through `page`."""

    actor: Actor
    htmx: HtmxDetails
    csp_nonce: str


View = Callable[Concatenate[PageRequest, P], HttpResponseBase]


def page(verb: str = "") -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Make a view a page: the actor is at `request.actor`, and holds `verb` on at least something.

    Which items it may be done to is checked where it is done, by the action or by `visible()`.
    """

    def decorate(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def checked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            actor = actor_of(request)
            if actor.kind == ActorKind.ANONYMOUS:
                return to_sign_in(request)
            if verb and not may(actor, verb):
                raise Denied(
                    _('This page needs the right "%(verb)s", which none of your roles grants.') % {"verb": verb},
                    hint=_("Ask an administrator for a role with this right."),
                )
            found = cast(PageRequest, request)
            found.actor = actor
            return view(found, *args, **kwargs)

        checked.verb = verb  # type: ignore[attr-defined]
        return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", checked)

    return decorate


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to the sign-in page and back here afterwards; for htmx the whole page goes, not the fragment."""
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(redirect_to_login(request.headers.get("HX-Current-URL", "/")).url)
    return redirect_to_login(request.get_full_path())
