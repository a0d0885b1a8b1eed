"""Dashboards and what they were before. Written by `actions` only."""

from __future__ import annotations

from django.db import models


class Dashboard(models.Model):
    """`definition` is what `definitions.Definition` says, as JSON; `version` counts its changes from 1."""

    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    definition = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("title", "slug")

    def __str__(self) -> str:
        return self.title


class DashboardVersion(models.Model):
    """What a dashboard was after its change `number`; the newest is the dashboard itself."""

    dashboard = models.ForeignKey(Dashboard, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=["dashboard", "number"], name="dashboard_version_once")]

    def __str__(self) -> str:
        return f"{self.dashboard_id}@{self.number}"
