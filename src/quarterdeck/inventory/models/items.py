"""Items with what is derived from them, what sources said of them, and how they relate."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from quarterdeck.inventory.models.kinds import Lifecycle, State
from quarterdeck.inventory.models.types import ItemType


class Item(models.Model):
    """One thing of the fleet. `attributes` holds the effective values: `{"cpu_count": 8, "os_name": "debian"}`.

    `desired` holds what people set by hand (`{"cpu_count": 8}`); where it differs from what sources observe, that is
    drift. `version` grows with every change (the ETag). `labels` is `{"role": "web"}`. `env`, `provider` and `region`
    are kept in lower case. An item that was merged into another is retired and points to it.
    """

    # No index of its own here and below where another one begins with the same column: each costs at every import.
    type = models.ForeignKey(ItemType, models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNKNOWN)
    raw_state = models.CharField(max_length=80, blank=True)
    lifecycle = models.CharField(max_length=8, choices=Lifecycle.choices, default=Lifecycle.ACTIVE)
    lifecycle_at = models.DateTimeField()
    env = models.CharField(max_length=64, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=128, blank=True)
    region = models.CharField(max_length=64, blank=True)
    primary_ip = models.GenericIPAddressField(null=True, blank=True)
    owner = models.CharField(max_length=128, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    desired = models.JSONField(default=dict, blank=True)
    first_seen = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveBigIntegerField(default=1)
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["type", "id"], name="item_type"),
            models.Index(fields=["name", "id"], name="item_name"),
            models.Index(fields=["primary_ip"], name="item_ip"),
            models.Index(fields=["lifecycle", "id"], name="item_lifecycle"),
            models.Index(fields=["env", "id"], name="item_env"),
            models.Index(fields=["state", "id"], name="item_state"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def last_seen(self) -> datetime:
        return self.seen.last_seen


class ItemSeen(models.Model):
    """When any source last saw an item. Apart from the item, because every pass of a source writes it for everything
    that it saw: here that is a tenth of what a new version of the whole row and of its indexes costs PostgreSQL."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="seen", db_constraint=False)
    last_seen = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["last_seen", "item"], name="itemseen_last_seen")]


class ItemIndex(models.Model):
    """Side index of one value: `field` is "name", "ip", an attribute's code, or `label.<name>`.

    One of `text` (cut to 200, lower case), `number` (times as seconds since 1970) is set. Addresses stand as sortable
    digits (`4:0a000001`), so that a network is a range. Only for indexed attributes and labels, so its cost does not
    grow with the number of types.

    `name` is the item's name beside a text, else empty: the rows of one value stand in the order of the list, so a page
    of `role:web` is read from where it begins, wherever in the list those names are.
    """

    # That the item exists is vouched for by `ItemText`, written with it: to ask again for each of twenty rows is a
    # tenth of an import.
    item = models.ForeignKey(Item, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    field = models.CharField(max_length=140)
    text = models.CharField(max_length=200, null=True)
    number = models.FloatField(null=True)
    name = models.CharField(max_length=255, default="")

    class Meta:
        indexes = [
            models.Index(fields=["item", "field"], name="itemindex_item"),
            models.Index(fields=["field", "text", "name", "item"], name="itemindex_listed"),
            # Most rows are text: without them the index is a fraction, and so is its cost at import.
            models.Index(
                fields=["field", "number", "item"], name="itemindex_number", condition=Q(number__isnull=False)
            ),
        ]


class ItemText(models.Model):
    """Words of an item, separated by spaces, each Chinese character a word. The full-text index (SQLite: FTS5 kept by
    triggers, PostgreSQL: GIN) is made in a migration over this table."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="+")
    words = models.TextField()


class ItemSecret(models.Model):
    """A secret value, encrypted with the instance's key. `Item.attributes` holds only its keyed digest, so that no
    page, export, history or audit record can show it by mistake, while "same or changed?" can still be told."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    field = models.CharField(max_length=64)
    digest = models.CharField(max_length=48)
    sealed = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "field", "digest"], name="secret_once")]


class ItemUnique(models.Model):
    """Uniqueness kept by the database, also under bulk import: one row per unique value of a type."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    type = models.ForeignKey(ItemType, models.CASCADE, related_name="+", db_index=False)
    field = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "field", "value"], name="unique_value")]


class Identity(models.Model):
    """A key by which a source's record finds its item. `strength` 1 (provider's own id) is strongest, 8 weakest.

    Derived from the identities of the item's observations, so that a split can give each part its own back.
    """

    item = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=32)
    value = models.CharField(max_length=255)
    strength = models.PositiveSmallIntegerField()
    source = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["kind", "value"], name="identity_value")]
        constraints = [models.UniqueConstraint(fields=["item", "kind", "value", "source"], name="identity_once")]


class Observation(models.Model):
    """What one source last said of one thing, apart from what others say.

    `attributes` holds everything it said, flat: `{"name": "db1", "env": "prod", "label.role": "db", "cpu_count": 8}`.
    `identities` is `[["mac", "52:54:00:12:34:56"]]`. `content_hash` tells an unchanged record without looking into it;
    it holds only while the item lives.
    """

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    source = models.CharField(max_length=64)
    scope = models.CharField(max_length=128)
    external_id = models.CharField(max_length=255)
    # Asked for only when a type without items is removed.
    type = models.ForeignKey(ItemType, models.PROTECT, related_name="+", db_index=False)
    attributes = models.JSONField(default=dict)
    identities = models.JSONField(default=list)
    content_hash = models.BinaryField(max_length=16)
    first_seen = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "scope", "type", "external_id"], name="observation_once"),
        ]

    @property
    def seen_at(self) -> datetime:
        return self.sighting.seen_at

    @property
    def misses(self) -> int:
        return self.sighting.misses


class Sighting(models.Model):
    """When a source last saw what it observed, and in how many of its passes since it did not: what every pass writes,
    apart from what it says (see `ItemSeen`)."""

    observation = models.OneToOneField(
        Observation, models.CASCADE, primary_key=True, related_name="sighting", db_constraint=False
    )
    seen_at = models.DateTimeField()
    misses = models.PositiveIntegerField(default=0)


class Relation(models.Model):
    """`src` -> `dst`: a container `runs_on` a host, an application `depends_on` a database."""

    src = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    dst = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=32)
    source = models.CharField(max_length=64)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["dst", "type"], name="relation_dst")]
        constraints = [
            models.UniqueConstraint(fields=["src", "dst", "type"], name="relation_once"),
            models.CheckConstraint(condition=~Q(src=F("dst")), name="relation_not_to_itself"),
        ]


class Drift(models.Model):
    """Where the wish and what sources observe differ, since when, and whether somebody knows.

    `kind` is "wish" when the desired value was set by hand, "sources" when two sources disagree and `desired` is the
    value in force.
    """

    item = models.ForeignKey(Item, models.CASCADE, related_name="+", db_index=False)
    field = models.CharField(max_length=140)
    kind = models.CharField(max_length=8, default="wish")
    desired = models.JSONField(null=True)
    observed = models.JSONField(null=True)
    source = models.CharField(max_length=64)
    since = models.DateTimeField()
    acknowledged_by = models.CharField(max_length=150, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["since"], name="drift_since")]
        constraints = [models.UniqueConstraint(fields=["item", "field"], name="drift_once")]
