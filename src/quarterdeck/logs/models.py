"""What people keep: searches under a name, and metrics that are counted from lines."""

from __future__ import annotations

from django.db import models


class SavedSearch(models.Model):
    """A named query over lines with its columns and parser."""

    title = models.CharField(max_length=120)
    query = models.TextField(blank=True)
    columns = models.JSONField(default=list, blank=True)
    parse = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        ordering = ("title", "pk")

    def __str__(self) -> str:
        return self.title


class LogMetric(models.Model):
    """Samples of each minute, counted from the lines that `query` selects; see measuring.py.

    `labels` are names of fields whose values are kept as labels, in at most `series_max` series; `field` is the one
    whose numbers a distribution takes; `parse` is a parser of messages. Minutes before `evaluated_until` are done;
    `problem` is why the last evaluation failed.
    """

    COUNT, DISTRIBUTION = "count", "distribution"

    name = models.CharField(max_length=120, unique=True)
    unit = models.CharField(max_length=40, blank=True)
    query = models.TextField(blank=True)
    parse = models.CharField(max_length=1000, blank=True)
    kind = models.CharField(max_length=20, default=COUNT)
    field = models.CharField(max_length=140, blank=True)
    labels = models.JSONField(default=list, blank=True)
    series_max = models.PositiveIntegerField(default=100)
    is_enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150)
    evaluated_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_distribution(self) -> bool:
        return self.kind == self.DISTRIBUTION

    @property
    def series_name(self) -> str:
        """The metric's name without what is measured; the unit is its last word."""
        return f"{self.name}_{self.unit}" if self.unit and not self.name.endswith(f"_{self.unit}") else self.name

    @property
    def series(self) -> list[str]:
        """The names of what is stored."""
        measures = ("count1m", "sum1m", "min1m", "max1m") if self.is_distribution else ("count1m",)
        return [f"{self.series_name}:{measure}" for measure in measures]
