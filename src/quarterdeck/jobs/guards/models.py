"""The table of guard rules."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Ask(models.TextChoices):
    """What a rule asks for."""

    REASON = "reason", _("a reason")
    APPROVAL = "approval", _("a second person")
    REFUSAL = "refusal", _("to be refused")


class Applies(models.TextChoices):
    ALWAYS = "always", _("always")
    INSIDE = "inside", _("within the windows")
    OUTSIDE = "outside", _("outside the windows")


class GuardRule(models.Model):
    """What is asked of a run that is like this. What is empty limits nothing.

    `commands` are lines of `patterns`, `runners` names of runners, `query` selects items of which one is enough,
    `windows` are lines of `windows` in the time zone `zone`.
    """

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    is_enabled = models.BooleanField(default=True)
    commands = models.TextField(blank=True)
    runners = models.JSONField(default=list)
    query = models.TextField(blank=True)
    applies = models.CharField(max_length=8, choices=Applies.choices, default=Applies.ALWAYS)
    windows = models.TextField(blank=True)
    zone = models.CharField(max_length=60, default="UTC")
    asks = models.CharField(max_length=8, choices=Ask.choices, default=Ask.REASON)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
