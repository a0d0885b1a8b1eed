"""What there is to scrape now: the jobs of a prometheus.yml, and items of the inventory that ask for it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from django.db import close_old_connections

from quarterdeck.core.errors import OpsError
from quarterdeck.monitoring.scraping import config, inventory
from quarterdeck.monitoring.scraping.config import Config
from quarterdeck.monitoring.scraping.job import Group, Job
from quarterdeck.monitoring.scraping.targets import Target, TargetFiles, targets_of

INVENTORY_SECONDS = 15.0


class Discovery:
    """Looks again at every call; files are read when they change. `file` "" and an interval of 0 mean: none."""

    def __init__(self, file: str, inventory_interval_seconds: float) -> None:
        self._file = Path(file) if file else None
        self._read_at = 0
        self._config = Config((), ())
        self._problem = ""
        self._files = TargetFiles()
        self._interval_seconds = inventory_interval_seconds
        self._items: tuple[Group, ...] = ()
        self._items_due = 0.0

    def __call__(self) -> tuple[Iterable[Target], list[str]]:
        """Return the targets, and sentences about what is not followed."""
        self._reread()
        problems = [self._problem] if self._problem else []
        problems += self._config.problems
        targets: list[Target] = []
        for job in self._jobs():
            try:
                targets += targets_of(job, [*job.groups, *self._files.groups(job.files, problems)])
            except OpsError as error:
                problems.append(f'job "{job.name}": {error.message}')
        return targets, problems

    def _reread(self) -> None:
        """Read the file when it has changed. A file that cannot be read leaves the jobs as they were."""
        if self._file is None:
            return
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._read_at:
                self._config = config.read(self._file)
                self._read_at = changed
            self._problem = ""
        except OSError as error:
            self._problem = f"{self._file} cannot be read: {error.strerror}"
        except OpsError as error:
            self._problem = error.message

    def _jobs(self) -> Iterable[Job]:
        yield from self._config.jobs
        if self._interval_seconds:
            if time.monotonic() >= self._items_due:
                close_old_connections()
                self._items = tuple(inventory.groups())
                self._items_due = time.monotonic() + INVENTORY_SECONDS
            yield inventory.job(self._interval_seconds, self._items)
