"""The web process's ASGI application."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
from django.core.asgi import get_asgi_application

from quarterdeck.api.bodies import BodyLimit
from quarterdeck.api.leaving import StopsQueries

application = StopsQueries(BodyLimit(get_asgi_application()))
