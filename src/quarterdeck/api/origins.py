"""From which page a browser opens a WebSocket: it sends cookies and passwords along whichever page asks for it.

See https://owasp.org/www-community/attacks/csrf and RFC 6455, 10.2
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.core.errors import Denied


def require_own_origin(request: HttpRequest, actor: Actor) -> None:
    """Raises Denied when another site's page may have sent what `actor` is known by.

    A bearer token is sent by whoever has it. A session has to come from one of our pages; HTTP Basic, which programs
    send as well, from no page or one of ours.
    """
    origin = request.headers.get("Origin", "")
    is_basic = request.headers.get("Authorization", "").lower().startswith("basic ")
    if actor.kind is not ActorKind.USER and not (is_basic and origin):
        return
    own = f"{request.scheme}://{request.get_host()}"
    if origin != own and origin not in settings.CSRF_TRUSTED_ORIGINS:
        raise Denied(_("the page that asks is not one of this address"), hint=_("see the setting public_url"))
