"""Tables of the inventory. JSON is the truth of an item; hot columns and a side index answer the traffic.

    ItemType ── Attribute                 what items may be; users add both at run time
    Item ┬─ ItemIndex, ItemUnique         derived from `attributes`, written in the same transaction
         ├─ Identity                      keys by which a source's record finds its item
         ├─ Observation                   what each source last said, kept apart so that merge and split are reversible
         ├─ Relation                      directed, typed edge to another item
         ├─ Change (in a ChangeSet)       field-level history
         └─ TimelineEvent                 what happened to the item

Everything here is written by `inventory.actions` only; reads live in `inventory.queries`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """What the item does now. Sources map their own words to these and keep the original as `raw_state`."""

    RUNNING = "running", _("running")
    STARTING = "starting", _("starting")
    STOPPING = "stopping", _("stopping")
    STOPPED = "stopped", _("stopped")
    PENDING = "pending", _("pending")
    SUSPENDED = "suspended", _("suspended")
    TERMINATED = "terminated", _("terminated")
    ERROR = "error", _("error")
    UNKNOWN = "unknown", _("unknown")


class Lifecycle(models.TextChoices):
    """Whether the item still exists: active -> missing -> absent -> retired; a person may put it in the trash."""

    ACTIVE = "active", _("active")
    MISSING = "missing", _("missing")
    ABSENT = "absent", _("absent")
    RETIRED = "retired", _("retired")
    TRASHED = "trashed", _("in the trash")


class Kind(models.TextChoices):
    """Kinds of attribute values, as they stand in JSON."""

    TEXT = "text", _("text")
    LONG_TEXT = "long_text", _("long text")
    INTEGER = "integer", _("whole number")
    NUMBER = "number", _("number")
    BOOLEAN = "boolean", _("yes or no")
    DATETIME = "datetime", _("date and time")
    DATE = "date", _("date")
    IP = "ip", _("IP address")
    CIDR = "cidr", _("network (CIDR)")
    MAC = "mac", _("MAC address")
    URL = "url", _("URL")
    EMAIL = "email", _("e-mail address")
    CHOICE = "choice", _("choice")
    REFERENCE = "reference", _("reference to an item")
    SECRET = "secret", _("secret")
    JSON = "json", _("JSON")


class Catalogue(models.Model):
    """One row: the version of types and attributes. Every process reloads its cache when the number has moved."""

    version = models.PositiveBigIntegerField(default=1)


class ItemType(models.Model):
    """A kind of thing: host, container, service, rack. `code` never changes; a rename changes the titles."""

    code = models.CharField(max_length=48, unique=True)
    title_en = models.CharField(max_length=80)
    title_zh = models.CharField(max_length=80, blank=True)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=40, default="box")
    group = models.CharField(max_length=40, default="other")
    builtin = models.BooleanField(default=False)
    stale_after_days = models.PositiveIntegerField(default=60)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class Attribute(models.Model):
    """A field of a type; with `type` empty, of every type.

    `authority` lists sources strongest first: the item's value is that of the first source that has one.
    Changes of a number smaller than `deadband` (absolute, in `unit`) are not history. `code` never changes.
    """

    type = models.ForeignKey(ItemType, models.CASCADE, null=True, blank=True, related_name="attributes")
    code = models.CharField(max_length=48)
    title_en = models.CharField(max_length=80)
    title_zh = models.CharField(max_length=80, blank=True)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.TEXT)
    is_list = models.BooleanField(default=False)
    required = models.BooleanField(default=False)
    unique = models.BooleanField(default=False)
    indexed = models.BooleanField(default=False)
    regex = models.CharField(max_length=500, blank=True)
    minimum = models.FloatField(null=True, blank=True)
    maximum = models.FloatField(null=True, blank=True)
    choices = models.JSONField(default=list, blank=True)
    reference_type = models.CharField(max_length=48, blank=True)
    unit = models.CharField(max_length=24, blank=True)
    default = models.JSONField(null=True, blank=True)
    deadband = models.FloatField(null=True, blank=True)
    track_history = models.BooleanField(default=True)
    authority = models.JSONField(default=list, blank=True)
    builtin = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=100)

    class Meta:
        ordering = ("position", "code")
        constraints = [
            models.UniqueConstraint(fields=["type", "code"], name="attribute_once_per_type"),
            models.UniqueConstraint(fields=["code"], condition=Q(type=None), name="common_attribute_once"),
        ]

    def __str__(self) -> str:
        return f"{self.type or '*'}.{self.code}"


class Item(models.Model):
    """One thing of the fleet. `attributes` holds the effective values: `{"cpu_count": 8, "os_name": "debian"}`.

    `desired` holds what people set by hand (`{"cpu_count": 8}`); where it differs from what sources observe, that is
    drift. `version` grows with every change (the ETag). `labels` is `{"role": "web"}`.
    """

    type = models.ForeignKey(ItemType, models.PROTECT, related_name="+")
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
    last_seen = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["type", "id"], name="item_type"),
            models.Index(fields=["name", "id"], name="item_name"),
            models.Index(fields=["primary_ip"], name="item_ip"),
            models.Index(fields=["lifecycle", "last_seen"], name="item_lifecycle"),
            models.Index(fields=["env", "id"], name="item_env"),
            models.Index(fields=["state", "id"], name="item_state"),
        ]

    def __str__(self) -> str:
        return self.name


class ItemIndex(models.Model):
    """Side index of one value: `field` is an attribute's code, or `label.<name>`.

    One of `text` (cut to 200, lower case), `number` (times as seconds since 1970) is set. Only for indexed attributes
    and labels, so its cost does not grow with the number of types.
    """

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    field = models.CharField(max_length=64)
    text = models.CharField(max_length=200, null=True)
    number = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["field", "text", "item"], name="itemindex_text"),
            models.Index(fields=["field", "number", "item"], name="itemindex_number"),
        ]


class ItemUnique(models.Model):
    """Uniqueness kept by the database, also under bulk import: one row per unique value of a type."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    type = models.ForeignKey(ItemType, models.CASCADE, related_name="+")
    field = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "field", "value"], name="unique_value")]


class Identity(models.Model):
    """A key by which a source's record finds its item. `strength` 1 (provider's own id) is strongest, 8 weakest."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    value = models.CharField(max_length=255)
    strength = models.PositiveSmallIntegerField()
    source = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["kind", "value"], name="identity_value")]
        constraints = [models.UniqueConstraint(fields=["item", "kind", "value", "source"], name="identity_once")]


class Observation(models.Model):
    """What one source last said of one thing, apart from what others say.

    `content_hash` tells an unchanged record without looking into it; it holds only while the item lives.
    """

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    source = models.CharField(max_length=64)
    scope = models.CharField(max_length=128)
    external_id = models.CharField(max_length=255)
    type = models.ForeignKey(ItemType, models.PROTECT, related_name="+")
    attributes = models.JSONField(default=dict)
    content_hash = models.BinaryField(max_length=16)
    first_seen = models.DateTimeField()
    seen_at = models.DateTimeField()
    misses = models.PositiveIntegerField(default=0)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["item"], name="observation_item")]
        constraints = [
            models.UniqueConstraint(fields=["source", "scope", "type", "external_id"], name="observation_once"),
        ]


class Relation(models.Model):
    """`src` -> `dst`: a container `runs_on` a host, an application `depends_on` a database."""

    src = models.ForeignKey(Item, models.CASCADE, related_name="+")
    dst = models.ForeignKey(Item, models.CASCADE, related_name="+")
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
    field = models.CharField(max_length=64)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["item", "-id"], name="change_item")]


class TimelineEvent(models.Model):
    """Something that happened to an item: a run, a deployment, an alert, a lifecycle step. Inventory changes are read
    from `Change` and are not copied here."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
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
    """A merge that was done, with what is needed to undo it: `{"observations": [ids], "item": {...}, ...}`."""

    kept = models.ForeignKey(Item, models.CASCADE, related_name="+")
    merged_id = models.BigIntegerField()
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
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
