"""The audit log: one append-only table. Written by `audit.actions.record` only; triggers refuse UPDATE and DELETE."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import models


class AuditEvent(models.Model):
    """Who did what to what, and how it ended.

    `seq` counts from 1 without gaps. `at_us` is microseconds since 1970 in UTC. `before` and `after` are
    `{"field": value}` with secrets as keyed digests; they are stored as the very text that is hashed, because a JSON
    column gives numbers back in another spelling. `hash` is the HMAC-SHA256 of `prev_hash` and the event's canonical
    JSON, see `audit.chain`.
    """

    seq = models.PositiveBigIntegerField(primary_key=True)
    uuid = models.CharField(max_length=32)
    at_us = models.BigIntegerField()
    actor_kind = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150)
    auth_method = models.CharField(max_length=32, blank=True)
    source_ip = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    verb = models.CharField(max_length=64)
    object_kind = models.CharField(max_length=48, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=255, blank=True)
    detail = models.TextField(blank=True)
    before_json = models.TextField(blank=True)
    after_json = models.TextField(blank=True)
    reason = models.CharField(max_length=500, blank=True)
    result = models.CharField(max_length=8)
    error = models.TextField(blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    key_id = models.CharField(max_length=16)

    class Meta:
        ordering = ("-seq",)
        indexes = [
            models.Index(fields=["object_kind", "object_id", "-seq"], name="audit_object"),
            models.Index(fields=["actor_name", "-seq"], name="audit_actor"),
            models.Index(fields=["verb", "-seq"], name="audit_verb"),
            models.Index(fields=["at_us"], name="audit_at"),
            models.Index(fields=["request_id"], name="audit_request"),
            models.Index(fields=["result", "-seq"], name="audit_result"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb} {self.object_name}"

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.at_us / 1_000_000, UTC)

    @property
    def before(self) -> dict[str, Any] | None:
        return orjson.loads(self.before_json) if self.before_json else None

    @property
    def after(self) -> dict[str, Any] | None:
        return orjson.loads(self.after_json) if self.after_json else None


class ChainHead(models.Model):
    """One row: where the chain ends. Locked by each appender, so that numbers have no gaps and no two events one."""

    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")


class Checkpoint(models.Model):
    """A signed statement of where the chain stood, kept also as a line of a file outside the database.

    `signature` is Ed25519 over `{"seq", "hash", "at_us"}` in canonical JSON.
    """

    seq = models.PositiveBigIntegerField(unique=True)
    hash = models.CharField(max_length=64)
    at_us = models.BigIntegerField()
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ("-seq",)


class Segment(models.Model):
    """A run of events that moved from the table to a file. Its hashes and signature stay for ever.

    `first_prev_hash` joins it to the segment before, `last_hash` to what follows.
    """

    first_seq = models.PositiveBigIntegerField(unique=True)
    last_seq = models.PositiveBigIntegerField()
    first_prev_hash = models.CharField(max_length=64)
    last_hash = models.CharField(max_length=64)
    file_name = models.CharField(max_length=255)
    file_sha256 = models.CharField(max_length=64)
    archived_at = models.DateTimeField()
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ("first_seq",)


class Forwarding(models.Model):
    """How far each receiver has been sent the log: the cursor that survives restarts."""

    receiver = models.CharField(max_length=255, unique=True)
    seq = models.PositiveBigIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
