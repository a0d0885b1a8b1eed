"""Schedules, and what became of each time at which one was due.

Schedule ── Firing
Written by `actions` and by `firing`.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.jobs.runs.models import Run


class Schedule(models.Model):
    """`plan` is what `definitions.Plan` says, as JSON; `version` counts its changes from 1.

    It runs with the rights that its owner, who changed it last, has by then. `next_run_at` is empty where it is not
    due any more: it is switched off, or was for once. `anchor_at` is where the periods of `every` begin.
    """

    name = models.SlugField(max_length=60, unique=True)
    plan = models.JSONField()
    template = models.CharField(max_length=60, blank=True, db_index=True)
    is_enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField(null=True)
    anchor_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    owner = models.CharField(max_length=150)
    owner_kind = models.CharField(max_length=20)
    owner_id = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=12, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        indexes = [
            models.Index(fields=["next_run_at"], name="schedule_due", condition=models.Q(next_run_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.name


class Outcome(models.TextChoices):
    STARTED = "started", _("It was started")
    WAITING = "waiting", _("Waits for the run before")
    SKIPPED = "skipped", _("Left out: the run before still went")
    MISSED = "missed", _("Missed")
    FAILED = "failed", _("Could not start")


class Firing(models.Model):
    """One time at which a schedule was due: there is one row for it, whoever comes to handle it how often.

    `error` is a sentence that says why nothing could be started.
    """

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="firings")
    due_at = models.DateTimeField()
    at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+")
    is_by_hand = models.BooleanField(default=False)
    error = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "due_at"], name="firing_once")]
        indexes = [
            models.Index(fields=["schedule", "-id"], name="firing_newest"),
            models.Index(fields=["id"], name="firing_waiting", condition=models.Q(outcome="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.due_at:%Y-%m-%dT%H:%M:%S}"
