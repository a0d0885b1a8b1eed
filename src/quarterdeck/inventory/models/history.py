"""What changed and what happened."""

from __future__ import annotations

from django.db import models

from quarterdeck.inventory.models.items import Item


class ChangeSet(models.Model):
    """All that one call changed. `actor` is the name at that time; the audit record has the identity. `reverts` is the
    change set that this one took back."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=12)
    source = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    reverts = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["at"], name="changeset_at")]


class Change(models.Model):
    """One field of one item, before and after. `field` is "" for the creation of the item."""

    change_set = models.ForeignKey(ChangeSet, models.CASCADE, related_name="changes")
    item = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    field = models.CharField(max_length=140)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["item", "-id"], name="change_item")]


class BeforeImage(models.Model):
    """What people replaced in one item by one change set, for the way back. `Change` has the values in force, which
    sources have a say in; this has what people decided.

    `replaced` is `{"desired": {"owner": {"old": "a", "new": "b"}}, "import": {...}, "lifecycle": {...}}`: values set by
    hand, values of imported files, the stage of life. Without "old" there was none before, without "new" none after.
    """

    change_set = models.ForeignKey(ChangeSet, models.CASCADE, related_name="+", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    replaced = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_set", "item"], name="before_image_once")]


class TimelineEvent(models.Model):
    """Something that happened to an item: a run, a deployment, an alert, a lifecycle step. Inventory changes are read
    from `Change` and are not copied here. Without an item it concerns the whole fleet."""

    item = models.ForeignKey(Item, models.CASCADE, null=True, related_name="+", db_index=False)
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
