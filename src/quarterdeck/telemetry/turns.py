"""What one person may ask of the engine at once, in this process, so that everybody gets answers.

Metrics, logs, traces and errors share the turns: the engine is one.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import TooMany

# How many questions of one person run at once; the others wait for their turn.
RUNNING_MAX = 4
WAITING_MAX = 20
WAITING_SECONDS = 20

P = ParamSpec("P")
T = TypeVar("T")


def caller_of(actor: Actor) -> str:
    """Return the name under which an actor's questions are counted."""
    return f"{actor.kind}:{actor.id or actor.name}"


class Turns:
    """Who asks how much at once: RUNNING_MAX of each caller run, WAITING_MAX more wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self._present: Counter[str] = Counter()
        self._mine = threading.local()

    @contextmanager
    def place(self, caller: str) -> Iterator[None]:
        """Hold a place in the caller's queue. Raises TooMany when it is full."""
        with self._changed:
            if self._present[caller] >= RUNNING_MAX + WAITING_MAX:
                raise _too_many()
            self._present[caller] += 1
        try:
            yield
        finally:
            with self._changed:
                self._present[caller] -= 1
                self._present += Counter()

    @contextmanager
    def turn(self, caller: str) -> Iterator[None]:
        """Wait until the caller has less than RUNNING_MAX running. Raises TooMany when that takes too long.

        A thread that has its turn may ask again inside of it: what is part of a question does not wait for its whole.
        """
        if caller == getattr(self._mine, "caller", None):
            yield
            return
        with self._changed:
            if not self._changed.wait_for(lambda: self._running[caller] < RUNNING_MAX, WAITING_SECONDS):
                raise _too_many()
            self._running[caller] += 1
        before, self._mine.caller = getattr(self._mine, "caller", None), caller
        try:
            yield
        finally:
            self._mine.caller = before
            with self._changed:
                self._running[caller] -= 1
                self._running += Counter()
                self._changed.notify_all()


def _too_many() -> TooMany:
    return TooMany(
        _("%(max)d queries of yours run already") % {"max": RUNNING_MAX},
        hint=_("ask for less at once, or again later"),
        retry_after_seconds=2,
    )


turns = Turns()


def fairly(read: Callable[Concatenate[Actor, P], T]) -> Callable[Concatenate[Actor, P], T]:
    """Let `read(actor, ...)` ask the engine in one of the actor's turns. It also raises TooMany then."""

    @functools.wraps(read)
    def asked(actor: Actor, /, *arguments: P.args, **named: P.kwargs) -> T:
        caller = caller_of(actor)
        with turns.place(caller), turns.turn(caller):
            return read(actor, *arguments, **named)

    return asked
