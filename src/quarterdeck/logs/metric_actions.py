"""Making, changing, deleting and backfilling the metrics that are counted from log lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.logs import measuring
from quarterdeck.logs.models import LogMetric
from quarterdeck.telemetry.naming import label_name

METRICS = "logs.metrics"
METRICS_MAX = 200
LABELS_MAX = 10
SERIES_MAX = 2000
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,119}")
_UNIT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FIELDS = ("query", "unit", "kind", "field", "labels", "parse", "series_max", "is_enabled")


def metrics(actor: Actor) -> list[LogMetric]:
    """Return all definitions by name. Raises Denied."""
    require(actor, "telemetry.query")
    return list(LogMetric.objects.all())


def get_metric(actor: Actor, name: str) -> LogMetric:
    """Return one definition. Raises Denied, NotFound."""
    require(actor, "telemetry.query")
    return _found(name)


def _found(name: str) -> LogMetric:
    metric = LogMetric.objects.filter(name=name).first()
    if metric is None:
        raise NotFound(_('there is no metric of log lines "%(name)s"') % {"name": name[:60]})
    return metric


@action(METRICS)
def set_metric(
    actor: Actor,
    name: str,
    query: str = "",
    *,
    unit: str = "",
    kind: str = LogMetric.COUNT,
    field: str = "",
    labels: Sequence[str] = (),
    parse: str = "",
    series_max: int = 100,
    is_enabled: bool = True,
) -> LogMetric:
    """Make or change a definition; minutes from now on obey it. Raises BadInput, BadQuery, Conflict."""
    _check_names(name, unit, kind, labels)
    if not 1 <= series_max <= SERIES_MAX:
        raise BadInput(_("between 1 and %(limit)d series") % {"limit": SERIES_MAX}, field="series_max")
    measuring.check(query, kind, field, list(labels), parse)
    values = {
        "query": query, "unit": unit, "kind": kind, "field": field if kind == LogMetric.DISTRIBUTION else "",
        "labels": list(labels), "parse": parse, "series_max": series_max, "is_enabled": is_enabled,
    }  # fmt: skip
    before = LogMetric.objects.filter(name=name).first()
    if before is None and LogMetric.objects.count() >= METRICS_MAX:
        raise BadInput(_("There are %(limit)d metrics already.") % {"limit": METRICS_MAX}, hint=_("Delete one first."))
    wanted = LogMetric(name=name, **values)
    if any(one.series_name == wanted.series_name for one in LogMetric.objects.exclude(name=name)):
        raise Conflict(_('another metric is stored as "%(name)s"') % {"name": wanted.series_name})
    old = {one: getattr(before, one) for one in _FIELDS} if before else None
    metric, _made = LogMetric.objects.update_or_create(
        name=name, defaults=values, create_defaults={**values, "created_by": actor.name}
    )
    record(actor, "logs.set_metric", metric, name, before=old, after=values)
    return metric


def _check_names(name: str, unit: str, kind: str, labels: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(
            _("A metric's name has letters, digits and _."), hint=_("For example: checkout_failures"), field="name"
        )
    if unit and not _UNIT.fullmatch(unit):
        raise BadInput(_("A unit is a word: seconds, bytes."), field="unit")
    if kind not in (LogMetric.COUNT, LogMetric.DISTRIBUTION):
        raise BadInput(_('unknown kind "%(name)s"') % {"name": kind[:40]}, hint="count, distribution", field="kind")
    named = [label_name(one) for one in labels]
    if len(labels) > LABELS_MAX or len(set(named)) < len(named) or not all(named):
        raise BadInput(_("at most %(limit)d labels of different names") % {"limit": LABELS_MAX}, field="labels")
    if {"message", "trace", "trace_id", "span", "span_id"} & set(labels):
        raise BadInput(_("Messages and ids differ in every line: they are no labels."), field="labels")


@action(METRICS)
def delete_metric(actor: Actor, name: str) -> None:
    """Delete a definition; samples that were written stay as long as others. Raises NotFound."""
    metric = _found(name)
    record(actor, "logs.delete_metric", metric, name, before={one: getattr(metric, one) for one in _FIELDS})
    metric.delete()


@action(METRICS)
def backfill_metric(actor: Actor, name: str, hours: int) -> LogMetric:
    """Let the last `hours` be evaluated from the lines that are there now; `evaluated_until` tells how far that is.

    Raises NotFound, BadInput.
    """
    metric = _found(name)
    if not 1 <= hours <= measuring.BEHIND_HOURS_MAX:
        raise BadInput(_("between 1 and %(limit)d hours") % {"limit": measuring.BEHIND_HOURS_MAX}, field="hours")
    metric.evaluated_until = measuring.closed_until(now()) - timedelta(hours=hours)
    metric.save(update_fields=["evaluated_until"])
    record(actor, "logs.backfill_metric", metric, name, after={"hours": hours})
    return metric
