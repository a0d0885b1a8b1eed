"""What changed and what happened."""

from __future__ import annotations

from django.db import models

from quarterdeck.inventory.models.items import Item


class ChangeSet(models.Model):
    """All that one call changed. `actor` is the name at that time; the audit record has the identity."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=12)
    source = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["at"], name="changeset_at")]


class Change(models.Model):
    """One field of one item, before and after. `field` is "" for the creation of the item."""

    change_set = models.ForeignKey(ChangeSet, models.CASCADE, related_name="changes")
    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    field = models.CharField(max_length=140)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["item", "-id"], name="change_item")]


class TimelineEvent(models.Model):
    """Something that happened to an item: a run, a deployment, an alert, a lifecycle step. Inventory changes are read
    from `Change` and are not copied here. Without an item it concerns the whole fleet."""

    item = models.ForeignKey(Item, models.CASCADE, null=True, related_name="+")
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=8, default="info")
    title = models.CharField(max_length=255)
    detail = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["item", "-at"], name="timeline_item"),
            models.Index(fields=["-at"], name="timeline_at"),
        ]
