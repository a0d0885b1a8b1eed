"""The periodic tasks that packages declare, written into django-celery-beat at start."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from django.apps import apps
from django.conf import settings
from django.db import transaction

# Marks our rows, so that a schedule which a package no longer declares can be told from one that a person made.
_MARK = "built in"


def declared() -> dict[str, tuple[str, int]]:
    """Return `{"name": ("package.task", every_seconds)}` of every installed package's `tasks.SCHEDULES`."""
    found: dict[str, tuple[str, int]] = {}
    for config in apps.get_app_configs():
        if config.name.startswith("quarterdeck.") and find_spec(f"{config.name}.tasks"):
            module = importlib.import_module(f"{config.name}.tasks")
            for name, (task, every) in getattr(module, "SCHEDULES", {}).items():
                found[name] = (task, int(settings.QD[every] if isinstance(every, str) else every))
    return found


@transaction.atomic
def write_schedules() -> int:
    """Make the stored schedules what the packages declare; return how many there are.

    A person's choice to switch one off stays. A run that could not start within its own period is dropped: the next
    one is due by then.
    """
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

    wanted = declared()
    for name, (task, every_seconds) in wanted.items():
        interval, _ = IntervalSchedule.objects.get_or_create(every=every_seconds, period=IntervalSchedule.SECONDS)
        values = {"task": task, "interval": interval, "expire_seconds": max(every_seconds, 10), "description": _MARK}
        PeriodicTask.objects.update_or_create(name=name, defaults=values)
    PeriodicTask.objects.filter(description=_MARK).exclude(name__in=wanted).delete()
    PeriodicTasks.update_changed()
    return len(wanted)
