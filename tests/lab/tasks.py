"""Tasks for the tests of the work queue. What they did is a file, so that it outlives a killed worker."""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import shared_task


@shared_task(name="lab.mark")
def mark(directory: str, name: str) -> None:
    """Note when this began; `name.done` is claimed once, whoever runs it again finds it claimed."""
    started = time.time()
    try:
        descriptor = os.open(Path(directory) / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(repr(started))


@shared_task(name="lab.hold")
def hold(directory: str, name: str, seconds: float) -> None:
    """Say that it began, in a line per attempt, work for a while, then `mark`."""
    with (Path(directory) / f".{name}.attempts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    mark(directory, name)
