"""Templates. Written by `actions` only; what one was before is in the audit log."""

from __future__ import annotations

from django.db import models


class Template(models.Model):
    """`definition` is what `definitions.Definition` says, as JSON; `version` counts its changes from 1.

    Runs and schedules know it by its name.
    """

    name = models.SlugField(max_length=60, unique=True)
    definition = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
