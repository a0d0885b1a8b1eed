"""What the API remembers between requests: answers to repeat, and how much of its rate each caller has used."""

from __future__ import annotations

from django.db import models


class IdempotentAnswer(models.Model):
    """The answer to a write that carried an `Idempotency-Key`, repeated for 24 hours.

    `fingerprint` is the SHA-256 of method, path and body: the same key with other content is a conflict. The row is
    written in the transaction of the write itself, so that both exist or neither.
    """

    caller = models.CharField(max_length=160)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class RateWindow(models.Model):
    """Requests that all web processes together have handed out to `caller` in minute `window` (since 1970)."""

    caller = models.CharField(max_length=160, unique=True)
    window = models.BigIntegerField(db_index=True)
    used = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.caller} {self.used}"


class SearchContext(models.Model):
    """A scroll or a point in time of Elasticsearch's API: what is asked, and how far it was read.

    `position` is `{"sort": [...], "same": 1, "total": {...}}`, empty before the first page. `opened` is in Unix
    seconds: what was received later is not seen. Each `page` is read once.
    """

    key = models.CharField(max_length=64, unique=True)
    caller = models.CharField(max_length=160, db_index=True)
    kind = models.CharField(max_length=6, choices=[("scroll", "scroll"), ("pit", "pit")])
    index = models.CharField(max_length=2000, blank=True)
    body = models.JSONField(default=dict)
    position = models.JSONField(default=dict)
    page = models.PositiveIntegerField(default=0)
    opened = models.BigIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.caller} {self.kind}"
