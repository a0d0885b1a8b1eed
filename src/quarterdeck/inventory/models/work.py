"""What people and sources do with the inventory: views, merges, passes of sources, imports."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.models.items import Item


class SavedView(models.Model):
    """A named query with columns. Shared views are groups of the Ansible inventory."""

    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    query = models.TextField(blank=True)
    columns = models.JSONField(default=list, blank=True)
    sort = models.CharField(max_length=64, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title


class MergeProposal(models.Model):
    """Two items that may be one. `evidence` is `[{"kind": "mac", "value": "..."}]`; a person decides."""

    class Decision(models.TextChoices):
        OPEN = "open", _("open")
        MERGED = "merged", _("merged")
        REFUSED = "refused", _("refused")

    first = models.ForeignKey(Item, models.CASCADE, related_name="+")
    second = models.ForeignKey(Item, models.CASCADE, related_name="+")
    evidence = models.JSONField(default=list)
    decision = models.CharField(max_length=8, choices=Decision.choices, default=Decision.OPEN)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["first", "second"], name="proposal_once")]


class Merge(models.Model):
    """A merge that was done, with what is needed to undo it.

    `moved` is `{"observations": [ids], "relations": [{"id", "src", "dst", "type", ...}], "desired": {...},
    "lifecycle": "active"}`: what the other item had before.
    """

    kept = models.ForeignKey(Item, models.CASCADE, related_name="+")
    other = models.ForeignKey(Item, models.CASCADE, related_name="+")
    moved = models.JSONField(default=dict)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)


class SyncRun(models.Model):
    """One pass of a source over one scope. Items are marked missing only after a complete run."""

    class Outcome(models.TextChoices):
        RUNNING = "running", _("running")
        COMPLETE = "complete", _("complete")
        PARTIAL = "partial", _("partial")
        FAILED = "failed", _("failed")
        HELD = "held", _("held: too many things vanished at once")

    source = models.CharField(max_length=64)
    scope = models.CharField(max_length=128)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.RUNNING)
    counts = models.JSONField(default=dict)
    message = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["source", "scope", "-started_at"], name="syncrun_source")]


class Import(models.Model):
    """An uploaded file on its way into the inventory: progress and errors while it runs, the result afterwards."""

    class Phase(models.TextChoices):
        UPLOADED = "uploaded", _("uploaded")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    file_name = models.CharField(max_length=255)
    file_path = models.CharField(max_length=500)
    format = models.CharField(max_length=24)
    type = models.CharField(max_length=48, blank=True)
    key = models.CharField(max_length=64, blank=True)
    dry_run = models.BooleanField(default=True)
    phase = models.CharField(max_length=8, choices=Phase.choices, default=Phase.UPLOADED)
    rows_done = models.PositiveIntegerField(default=0)
    rows_total = models.PositiveIntegerField(null=True)
    result = models.JSONField(default=dict)
    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
