"""Ending what a request asks of the engine when whoever sent it leaves: nobody waits for the answer any more.

with_id = begin()          # of one request; everything that is asked on its behalf, in any thread, carries the id
client.query(sql, options=marked())
with_id.stop()
"""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import uuid4

from clickhouse_connect.driver.exceptions import DatabaseError
from django.utils.translation import gettext as _

from quarterdeck.core.errors import OpsError, TooMany
from quarterdeck.telemetry import client

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Asked:
    """The questions of one request. `is_used`: at least one was asked."""

    id: str = field(default_factory=lambda: f"request-{uuid4().hex}")
    is_used: bool = False
    is_stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End what runs on the engine, and let nothing more of this request begin there."""
        self.is_stopped.set()
        if not self.is_used:
            return
        try:
            client.command("KILL QUERY WHERE Settings['log_comment'] = {id:String} ASYNC", {"id": self.id})
        except (DatabaseError, OpsError) as error:
            # A server may not let us, or is away; its time limit ends the query all the same.
            log.warning("a query that nobody waits for goes on: %s", type(error).__name__)


_current: ContextVar[Asked | None] = ContextVar("asked", default=None)


def begin() -> Asked:
    """Let what is asked from here on belong to a new request."""
    asked = Asked()
    _current.set(asked)
    return asked


def marked() -> dict[str, str]:
    """Return the engine's options that mark a question as the current request's. Raises TooMany once it was stopped."""
    asked = _current.get()
    if asked is None:
        return {}
    if asked.is_stopped.is_set():
        raise TooMany(_("the query was cancelled"))
    asked.is_used = True
    return {"log_comment": asked.id}
