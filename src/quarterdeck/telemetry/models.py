"""Intake keys and rules of redaction. Written by `telemetry.keys` and `telemetry.redaction` only."""

from __future__ import annotations

from django.db import models


class IntakeKey(models.Model):
    """What lets a sender in. Only the key's SHA-256 is kept; `hint` is how it begins, to tell keys apart.

    `protocols` are names of receivers, empty for all. `labels` are added to everything that comes with the key.
    `networks` ("10.0.0.0/8") let in who sends by a protocol that carries no key. A limit of 0 is none; a day is UTC's.
    """

    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)
    protocols = models.JSONField(default=list)
    labels = models.JSONField(default=dict)
    networks = models.JSONField(default=list)
    records_per_second = models.PositiveIntegerField(default=0)
    records_per_day = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            # A revoked key stays for the history, its name does not.
            models.UniqueConstraint(fields=["name"], condition=models.Q(revoked_at=None), name="intake_key_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RedactionRule(models.Model):
    """Text that matches `pattern` (RE2) becomes `replacement` before it is stored."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, blank=True)
    pattern = models.CharField(max_length=1000)
    replacement = models.CharField(max_length=200, default="***")
    is_enabled = models.BooleanField(default=True)
    builtin = models.BooleanField(default=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
