"""Runs: what was done, on which hosts, and how each ended. What hosts printed is in the engine (`run_output`).

Run ── Shard ── RunHost
A run's hosts are in batches, which come one after the other; a batch's are in shards, which workers do side by side.
A message carries a shard's id and nothing else: who claims the shard's row does it.

Written by `actions`, by `claiming` and, while a shard is worked on, by `working`.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.models import Item


class RunState(models.TextChoices):
    APPROVAL = "approval", _("Waiting for approval")
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    CANCELLING = "cancelling", _("Being cancelled")
    STOPPING = "stopping", _("Being stopped")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped after failures")
    CANCELLED = "cancelled", _("Cancelled")
    REFUSED = "refused", _("Refused")


# In these workers are at it, or are about to be.
ACTIVE = (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING, RunState.STOPPING)
ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.CANCELLED, RunState.REFUSED)


class HostStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    OK = "ok", _("OK")
    CHANGED = "changed", _("Changed")
    FAILED = "failed", _("Failed")
    UNREACHABLE = "unreachable", _("Unreachable")
    LOST = "lost", _("Not known")
    CANCELLED = "cancelled", _("Cancelled")
    SKIPPED = "skipped", _("Not begun")


GOOD = (HostStatus.OK, HostStatus.CHANGED)
BAD = (HostStatus.FAILED, HostStatus.UNREACHABLE, HostStatus.LOST)


class Run(models.Model):
    """Work for the hosts of a query, in the state that it has now.

    `work` is what its runner reads; it holds no secrets. `batches` lists the sizes of the batches that come one after
    the other, `batch` is the number of the one that is due, from 0. `max_fail` is "5%" of a batch's hosts or a number
    of them, "" for no limit. One of a template has its name and version, and what was answered to its questions; one of
    a schedule has its name.

    `asked` lists the guard rules that it met, `[{"rule", "description", "asks", "why"}]`; where a second person was
    asked for, `decision` is what that person said.
    """

    runner = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    work = models.JSONField(default=dict)
    query = models.TextField(blank=True)
    batches = models.JSONField(default=list)
    batch = models.PositiveIntegerField(default=0)
    max_fail = models.CharField(max_length=20, blank=True)
    pauses_after_first = models.BooleanField(default=False)
    host_timeout_seconds = models.FloatField(null=True)
    hosts_at_once = models.PositiveIntegerField(default=200)
    becomes = models.BooleanField(default=False)
    credential = models.CharField(max_length=100, blank=True)
    accepts_new_host_keys = models.BooleanField(default=False)
    is_repeatable = models.BooleanField(default=False)
    is_check = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=12, blank=True)
    note = models.CharField(max_length=500, blank=True)
    template = models.CharField(max_length=60, blank=True)
    template_version = models.PositiveIntegerField(null=True)
    answers = models.JSONField(default=dict)
    asked = models.JSONField(default=list)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True)
    schedule = models.CharField(max_length=60, blank=True)

    state = models.CharField(max_length=12, choices=RunState.choices, default=RunState.QUEUED)
    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=64, blank=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "-id"], name="run_state"),
            models.Index(fields=["runner", "-id"], name="run_runner"),
            models.Index(fields=["template", "-id"], name="run_template", condition=~models.Q(template="")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"[:255]

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED


class Shard(models.Model):
    """Some hosts of one batch, which one worker does. `counts` is `{"ok": 3, "failed": 1}`, written by who claimed it.

    `claimed_by` names the worker for as long as it works on it, and `beat_at` is its last sign of life. `blocks` counts
    what it wrote: output, and hosts that ended; up to `searchable_blocks` of them are log lines as well.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="shards")
    number = models.PositiveIntegerField()
    batch = models.PositiveIntegerField()
    is_done = models.BooleanField(default=False)
    claimed_by = models.CharField(max_length=200, blank=True)
    queued_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    blocks = models.PositiveIntegerField(default=0)
    searchable_blocks = models.PositiveIntegerField(default=0)
    hosts_at_once = models.PositiveIntegerField(default=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="shard_number")]
        indexes = [
            models.Index(fields=["is_done", "beat_at"], name="shard_open", condition=models.Q(is_done=False)),
            models.Index(
                fields=["id"],
                name="shard_not_searchable",
                condition=models.Q(searchable_blocks__lt=models.F("blocks")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"


class RunHost(models.Model):
    """One host's part. Its name stays when the item is gone.

    `output_hash` is the same for hosts that printed the same; `values` is what the runner tells beside output, such as
    `{"sha256": "..."}` of a file; `block` is the shard's when this was written.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="hosts")
    shard = models.ForeignKey(Shard, models.CASCADE, related_name="hosts")
    item = models.ForeignKey(Item, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=12, choices=HostStatus.choices, default=HostStatus.WAITING)
    exit_code = models.IntegerField(null=True)
    error = models.CharField(max_length=1000, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    stdout_bytes = models.BigIntegerField(default=0)
    stderr_bytes = models.BigIntegerField(default=0)
    is_cut = models.BooleanField(default=False)
    output_hash = models.CharField(max_length=16, blank=True)
    values = models.JSONField(default=dict)
    block = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["shard", "block"], name="run_host_block"),
            models.Index(fields=["run", "status", "name", "id"], name="run_host_status"),
            models.Index(fields=["run", "name", "id"], name="run_host_name"),
            models.Index(fields=["item", "-id"], name="run_host_item"),
        ]

    def __str__(self) -> str:
        return self.name
