"""What people keep: searches under a name."""

from __future__ import annotations

from django.db import models


class SavedSearch(models.Model):
    """A named query over lines with its columns and parser."""

    title = models.CharField(max_length=120)
    query = models.TextField(blank=True)
    columns = models.JSONField(default=list, blank=True)
    parse = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        ordering = ("title", "pk")

    def __str__(self) -> str:
        return self.title
