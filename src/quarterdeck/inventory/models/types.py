"""What items may be: types and their attributes, both made by users at run time."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from quarterdeck.inventory.models.kinds import Kind


class Catalogue(models.Model):
    """One row: the version of types and attributes. Every process reloads its cache when the number is another."""

    # Drawn at random, not counted: after a rolled-back transaction a counted number could return with another meaning.
    version = models.PositiveBigIntegerField(default=0)


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
