"""The web process's ASGI application."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
from django.core.asgi import get_asgi_application


def _application() -> Any:
    http = get_asgi_application()
    # They read records' models, which are there from here on.
    from quarterdeck.api.bodies import BodyLimit
    from quarterdeck.api.leaving import StopsQueries
    from quarterdeck.api.loki.sockets import routes as loki
    from quarterdeck.api.sockets import Sockets
    from quarterdeck.api.terminals import routes as terminals

    # Every WebSocket's address: a capability adds its own list.
    return Sockets(StopsQueries(BodyLimit(http)), [*loki, *terminals])


application = _application()
