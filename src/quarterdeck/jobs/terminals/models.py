"""Terminals: who opened which, where, and how each ended. What they printed is in the engine (`terminal_output`).

Written by `actions`, and by `keeping` while a web process serves one.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.models import Item


class TerminalState(models.TextChoices):
    WAITING = "waiting", _("Being opened")
    OPEN = "open", _("Open")
    ENDED = "ended", _("Ended")


class End(models.TextChoices):
    """Why a terminal is not open any more."""

    EXITED = "exited", _("The shell ended")
    CLOSED = "closed", _("Closed by a person")
    LEFT = "left", _("The browser left")
    IDLE = "idle", _("Nobody typed for too long")
    LONGEST = "longest", _("Open for too long")
    FULL = "full", _("Its recording is full")
    UNRECORDED = "unrecorded", _("It could not be recorded")
    WITHDRAWN = "withdrawn", _("The right was withdrawn")
    REFUSED = "refused", _("It could not be opened")
    LOST = "lost", _("The connection to the host was lost")
    STOPPED = "stopped", _("Quarterdeck was stopped")
    VANISHED = "vanished", _("Quarterdeck ended unexpectedly")


class TerminalSession(models.Model):
    """One terminal, which one browser has. The host's name stays when the item is gone.

    `container` is "" for the host itself. `served_by` names the web process, and `beat_at` is its last sign of life.
    `columns` and `rows` are its size at first. `printed_bytes` and `exit_code` are known at its end.
    """

    item = models.ForeignKey(Item, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=255)
    container = models.CharField(max_length=255, blank=True)
    account = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=12, blank=True)

    state = models.CharField(max_length=8, choices=TerminalState.choices, default=TerminalState.WAITING)
    end = models.CharField(max_length=12, choices=End.choices, blank=True)
    error = models.CharField(max_length=1000, blank=True)
    exit_code = models.IntegerField(null=True)
    printed_bytes = models.BigIntegerField(default=0)
    columns = models.PositiveSmallIntegerField(default=80)
    rows = models.PositiveSmallIntegerField(default=24)
    is_shared = models.BooleanField(default=False)
    is_closing = models.BooleanField(default=False)

    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=64, blank=True)
    served_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["item", "-id"], name="terminal_item"),
            models.Index(fields=["actor_kind", "actor_id", "-id"], name="terminal_actor"),
            models.Index(fields=["state"], name="terminal_not_ended", condition=~models.Q(state="ended")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.place}"[:255]

    @property
    def place(self) -> str:
        """`ops@web1`, or `ops@web1:shop` for a container; without the account while it is not known."""
        account = f"{self.account}@" if self.account else ""
        return f"{account}{self.name}{':' if self.container else ''}{self.container}"

    @property
    def is_ended(self) -> bool:
        return self.state == TerminalState.ENDED
