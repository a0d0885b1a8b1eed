"""An ASGI application served in this process as the web process serves it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.db import connections
from tests.lab.parts import wait_until

from quarterdeck.core.serving import configured, listen


@contextmanager
def served(application: Any) -> Iterator[int]:
    """Yield the port. Its threads keep no connection to the records after each piece of work."""
    with _short_connections():
        yield from _served(application)


@contextmanager
def _short_connections() -> Iterator[None]:
    kept = {alias: settings["CONN_MAX_AGE"] for alias, settings in connections.settings.items()}
    for settings in connections.settings.values():
        settings["CONN_MAX_AGE"] = 0
    try:
        yield
    finally:
        for alias, seconds in kept.items():
            connections.settings[alias]["CONN_MAX_AGE"] = seconds


def _served(application: Any) -> Iterator[int]:
    listener = listen("127.0.0.1:0", "")
    server = uvicorn.Server(configured(application))
    thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server")
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
