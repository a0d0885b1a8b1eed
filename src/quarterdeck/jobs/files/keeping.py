"""How long files are kept: while a template, a schedule or a run that goes on names them, and days after their use."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from quarterdeck.core.clock import now
from quarterdeck.jobs.files.actions import needed
from quarterdeck.jobs.files.models import StoredFile
from quarterdeck.jobs.runs.models import ENDED, Run
from quarterdeck.jobs.schedules.models import Schedule
from quarterdeck.jobs.templates.models import Template

# An upload that is not whole by then never will be.
_UPLOAD = timedelta(days=1)


def forget() -> int:
    """Remove what is over its time; return how many files."""
    at = now()
    StoredFile.objects.filter(is_whole=False, created_at__lt=at - _UPLOAD).delete()
    unused = at - timedelta(days=int(settings.QD["run_files_retention_days"]))
    old = StoredFile.objects.filter(is_whole=True, used_at__lt=unused).exclude(sha256__in=_held())
    return sum(_remove(pk, unused) for pk in list(old.values_list("pk", flat=True)))


def _held() -> set[str]:
    runs = Run.objects.filter(runner="push").exclude(state__in=ENDED).values_list("work", flat=True)
    templates = Template.objects.filter(definition__runner="push").values_list("definition__work", flat=True)
    schedules = Schedule.objects.filter(plan__runner="push").values_list("plan__work", flat=True)
    return needed([*runs, *templates, *schedules])


@transaction.atomic
def _remove(pk: int, unused: object) -> int:
    """Each by itself, and only when nobody asked for it meanwhile."""
    found = StoredFile.objects.select_for_update().filter(pk=pk, used_at__lt=unused).first()
    if found is None:
        return 0
    found.delete()
    return 1
