"""Issues and what is known of them beside the events, which the engine keeps.

Issue ─┬─ IssueHash   which groups of events it is: one, more after a merge
       ├─ Trait       where it was seen: releases, environments, services, senders
       └─ Activity    what happened to it
Release               of a project, in the order in which they came ── Commit ── CommitFile
FingerprintRule       which groups become one issue; RuleKey: which issue that is
Ownership             whose the issues of a project are
Monitor               a scheduled job and what became of its last run
Progress              how far the events were looked at
Chunk                 a piece of an upload; Bundle ── BundleFile: the source maps of a build

Written by `actions` and, as events come in, by `digesting`.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quarterdeck.access.models import User


class State(models.TextChoices):
    UNRESOLVED = "unresolved", _("Unresolved")
    RESOLVED = "resolved", _("Resolved")
    IGNORED = "ignored", _("Ignored")


class Resolution(models.TextChoices):
    """When an event says that a resolved issue is back: any later one, one of the release in which it was resolved or
    of a newer one, or only one of a release newer than that."""

    NOW = "now", _("Resolved")
    IN_RELEASE = "in_release", _("Resolved in a release")
    AFTER_RELEASE = "after_release", _("Resolved in the next release")


class Issue(models.Model):
    """The events that are one error.

    `ignored_count` and `ignored_users` are the totals at which ignoring ends. An issue that was merged into another one
    keeps its number and activity, and has no events of its own. `source` is its place in the source where source maps
    told it, which then is its culprit.
    """

    project = models.BigIntegerField()
    title = models.CharField(max_length=500)
    type = models.CharField(max_length=255, blank=True)
    culprit = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=40, blank=True)
    level = models.CharField(max_length=40, blank=True)
    platform = models.CharField(max_length=100, blank=True)
    logger = models.CharField(max_length=255, blank=True)
    service = models.CharField(max_length=255, blank=True)
    latest_event = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=500, blank=True)
    is_unhandled = models.BooleanField(default=False)

    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    first_release = models.CharField(max_length=255, blank=True)
    last_release = models.CharField(max_length=255, blank=True)
    event_count = models.BigIntegerField(default=0)
    user_count = models.BigIntegerField(default=0)

    state = models.CharField(max_length=12, choices=State.choices, default=State.UNRESOLVED)
    resolution = models.CharField(max_length=16, choices=Resolution.choices, blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_in = models.CharField(max_length=255, blank=True)
    ignored_until = models.DateTimeField(null=True)
    ignored_count = models.BigIntegerField(null=True)
    ignored_users = models.BigIntegerField(null=True)
    regressed_at = models.DateTimeField(null=True)
    assignee = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, related_name="merged_from")

    class Meta:
        indexes = [
            models.Index(fields=["state", "-last_seen", "-id"], name="issue_state_seen"),
            models.Index(fields=["-last_seen", "-id"], name="issue_seen"),
            models.Index(fields=["-first_seen", "-id"], name="issue_first"),
            models.Index(fields=["-event_count", "-id"], name="issue_events"),
            models.Index(fields=["-user_count", "-id"], name="issue_users"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"[:255]

    @property
    def is_regressed(self) -> bool:
        """Whether it came back after it had been resolved."""
        return self.state == State.UNRESOLVED and self.regressed_at is not None


class IssueHash(models.Model):
    """A group of events that belongs to an issue. The hash of 64 bits is kept with a sign, see `numbers.signed`."""

    project = models.BigIntegerField()
    grouping_hash = models.BigIntegerField()
    issue = models.ForeignKey(Issue, models.CASCADE, related_name="hashes")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "grouping_hash"], name="issue_hash_once")]

    def __str__(self) -> str:
        return f"{self.project}/{self.grouping_hash:x}"


class TraitName(models.TextChoices):
    RELEASE = "release"
    ENVIRONMENT = "environment"
    SERVICE = "service"
    SENDER = "sender"


class Trait(models.Model):
    """A value with which an issue was seen. A sender is its key in 16 hex digits."""

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="traits")
    name = models.CharField(max_length=12, choices=TraitName.choices)
    value = models.CharField(max_length=255)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issue", "name", "value"], name="trait_once")]
        indexes = [models.Index(fields=["name", "value", "issue"], name="trait_value")]

    def __str__(self) -> str:
        return f"{self.name}:{self.value}"


class Activity(models.Model):
    """What happened to an issue, by whom ("" for what its events did). `detail` belongs to `kind`, see actions."""

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="activities")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)
    actor = models.CharField(max_length=150, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-at", "-id")
        indexes = [models.Index(fields=["issue", "-at"], name="activity_issue")]

    def __str__(self) -> str:
        return f"{self.kind} {self.issue_id}"


class Release(models.Model):
    """A version of a project, as events, sessions or a build named it. `released_at` is what a build said."""

    project = models.BigIntegerField()
    version = models.CharField(max_length=255)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "version"], name="release_once")]
        indexes = [models.Index(fields=["-last_seen", "-id"], name="release_seen")]

    def __str__(self) -> str:
        return self.version


class Commit(models.Model):
    """A commit that a release brought; the newest has `position` 0. `message` may be cut."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="commits")
    position = models.IntegerField()
    sha = models.CharField(max_length=64)
    repository = models.CharField(max_length=255, blank=True)
    author_name = models.CharField(max_length=255, blank=True)
    author_email = models.CharField(max_length=255, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    committed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("position",)
        constraints = [models.UniqueConstraint(fields=["release", "position"], name="commit_place")]

    def __str__(self) -> str:
        return self.sha

    @property
    def short(self) -> str:
        return self.sha[:10]

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class CommitFile(models.Model):
    """A file that a commit touched, by its path in the repository."""

    commit = models.ForeignKey(Commit, models.CASCADE, related_name="files")
    path = models.CharField(max_length=500)

    def __str__(self) -> str:
        return self.path


class Progress(models.Model):
    """Up to when what the engine got was looked at."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class FingerprintRule(models.Model):
    """New groups of events that `query` selects become one issue for each value of `fingerprint`, see `ruling`."""

    name = models.SlugField(max_length=60, unique=True)
    query = models.CharField(max_length=2000)
    fingerprint = models.CharField(max_length=1000)
    position = models.IntegerField(default=0)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name


class RuleKey(models.Model):
    """The issue of a fingerprint that a rule gave; `key` is its SHA-256 in hex."""

    project = models.BigIntegerField()
    key = models.CharField(max_length=64)
    issue = models.ForeignKey(Issue, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="rule_key_once")]

    def __str__(self) -> str:
        return self.key


class Monitor(models.Model):
    """A scheduled job that reports its runs. `next_due` is when the run after the last one has to begin."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting for the first run")
        RUNNING = "running", _("Running")
        OK = "ok", _("OK")
        ERROR = "error", _("Failed")
        MISSED = "missed", _("Missed")
        TIMEOUT = "timeout", _("Does not end")

    project = models.BigIntegerField()
    slug = models.CharField(max_length=255)
    environment = models.CharField(max_length=255)
    service = models.CharField(max_length=255, blank=True)
    schedule = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=8, choices=State.choices)
    state_since = models.DateTimeField()
    last_at = models.DateTimeField(null=True)
    last_status = models.CharField(max_length=20, blank=True)
    last_duration_s = models.FloatField(default=0)
    next_due = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "slug", "environment"], name="monitor_once")]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_trouble(self) -> bool:
        return self.state in (self.State.ERROR, self.State.MISSED, self.State.TIMEOUT)


class Chunk(models.Model):
    """A piece of an upload that is not put together yet, known by its SHA-1 in hex."""

    sha1 = models.CharField(max_length=40, unique=True)
    content = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="chunk_created")]

    def __str__(self) -> str:
        return self.sha1


class Bundle(models.Model):
    """Files that one build uploaded together. `checksum` is the upload's SHA-1 in hex; `size_bytes` what is stored.

    `used_at` is when a file of it was last needed, to a day; what nobody needs goes, see `artifacts.keeping`.
    """

    project = models.BigIntegerField()
    checksum = models.CharField(max_length=40)
    release = models.CharField(max_length=255, blank=True)
    dist = models.CharField(max_length=64, blank=True)
    file_count = models.IntegerField()
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "checksum", "release", "dist"], name="bundle_once"),
        ]
        indexes = [
            models.Index(fields=["project", "release", "-id"], name="bundle_release"),
            models.Index(fields=["used_at"], name="bundle_used"),
        ]

    def __str__(self) -> str:
        return f"{self.project}/{self.release or self.checksum}"


class BundleFile(models.Model):
    """A file of a bundle, compressed with zstd; `size_bytes` is its size before. `source_map` is its map's address."""

    class Kind(models.TextChoices):
        PROGRAM = "minified_source"
        MAP = "source_map"
        OTHER = "other"

    bundle = models.ForeignKey(Bundle, models.CASCADE, related_name="files")
    url = models.CharField(max_length=1000)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    debug_id = models.CharField(max_length=36, blank=True)
    source_map = models.CharField(max_length=1000, blank=True)
    size_bytes = models.BigIntegerField()
    content = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["debug_id", "kind"], name="bundle_file_debug_id"),
            models.Index(fields=["bundle", "url"], name="bundle_file_url"),
        ]

    def __str__(self) -> str:
        return self.url


class Ownership(models.Model):
    """Rules that say whose the issues of a project are, see `owning`. With `assigns`, new ones are assigned by them."""

    project = models.BigIntegerField(unique=True)
    text = models.TextField()
    assigns = models.BooleanField(default=True)

    def __str__(self) -> str:
        return str(self.project)
