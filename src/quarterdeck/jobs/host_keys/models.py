"""The table of host keys."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.models import Item


class HostKeyState(models.TextChoices):
    PENDING = "pending", _("Waiting")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")


class Origin(models.TextChoices):
    """How an approved key came to be one."""

    OPERATOR = "operator", _("by an operator")
    FIRST_CONTACT = "first_contact", _("at first contact")
    KNOWN_HOSTS = "known_hosts", _("by a known_hosts file")


class HostKey(models.Model):
    """A public key that was shown at a place, or is expected there. `key` is "ssh-ed25519 AAAA..." without a comment.

    `address` is in lower case, an IP address in its usual spelling. `is_change` tells that another key was approved at
    the place when this one was shown first; while it is pending, it is an alarm. The item is the one that was reached
    there last, none for a place that was known before any item, and for jump hosts that are none.
    """

    address = models.CharField(max_length=255)
    port = models.PositiveIntegerField()
    key = models.TextField()
    fingerprint = models.CharField(max_length=80)
    state = models.CharField(max_length=8, choices=HostKeyState.choices, default=HostKeyState.PENDING)
    is_change = models.BooleanField(default=False)
    item = models.ForeignKey(Item, models.SET_NULL, null=True, related_name="+")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField(null=True)
    origin = models.CharField(max_length=13, choices=Origin.choices, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "port", "fingerprint"], name="host_key_once")]
        indexes = [models.Index(fields=["state", "is_change", "id"], name="host_key_state")]

    def __str__(self) -> str:
        return f"{self.place} {self.fingerprint}"

    @property
    def place(self) -> str:
        """`address:port`, with brackets around IPv6."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def algorithm(self) -> str:
        return self.key.split(" ", 1)[0]

    @property
    def is_alarm(self) -> bool:
        return self.is_change and self.state == HostKeyState.PENDING
