"""The worker: two of Celery's, forked from one process, by default with the schedules of django-celery-beat.

control   short tasks, in processes that can be ended and are renewed when they grow
runs      work on hosts, in threads of one process: they share its warm connections; one more thread is the clock
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from quarterdeck.core.forks import keep
from quarterdeck.core.processes import die_with_parent, remove_run_file, write_run_file

# Shards that one process works on at once; each has threads of its own only to wait in.
_SHARDS_AT_ONCE = 16


def run(data: Path, concurrency: int, *, schedules: bool = True, queues: str = "") -> None:
    """Prepare the records and work for the instance in `data` until SIGTERM; block.

    SIGTERM lets running tasks finish for a few seconds; what is not finished goes back to the queue.
    """
    # Read by Celery when it is imported. A warm shutdown, its default, would wait for tasks without end.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    # Django's checks are the tests' matter; they would load every page and the whole API: 45 MB that no task needs.
    os.environ["CELERY_SKIP_CHECKS"] = "1"
    from quarterdeck.conf.celery import QUEUE, app
    from quarterdeck.conf.startup import prepare_records
    from quarterdeck.jobs.runs.claiming import QUEUE as RUNS

    prepare_records()
    _close_connections()
    # Loaded before the fork, so that it is in memory once.
    app.loader.import_default_modules()
    wanted = [name.strip() for name in queues.split(",") if name.strip()] or [QUEUE, RUNS]
    parts: dict[str, Callable[[], None]] = {}
    if control := [name for name in wanted if name != RUNS]:
        # The clock is a thread of `runs`, which forks nothing; a process of its own would cost 50 MB.
        is_clock = schedules and RUNS not in wanted
        parts["worker"] = partial(_control, app, data, concurrency, ",".join(control), is_clock=is_clock)
    if RUNS in wanted:
        parts["runs"] = partial(_runs, app, data, RUNS, is_clock=schedules)
    keep(parts)


def _control(app: Any, data: Path, concurrency: int, queues: str, *, is_clock: bool) -> None:
    from celery import signals

    if is_clock:
        signals.beat_embedded_init.connect(_start_schedules, weak=False)
    arguments = [f"--concurrency={concurrency}", f"--queues={queues}"]
    _work(app, data, "worker", [*arguments, "--beat"] if is_clock else arguments)


def _start_schedules(**_: Any) -> None:
    """People's schedules are started beside the clock, and wait for no queue."""
    from quarterdeck.jobs.schedules.firing import run_forever

    Thread(target=run_forever, args=[Event()], name="schedules", daemon=True).start()


def _runs(app: Any, data: Path, queue: str, *, is_clock: bool) -> None:
    from celery import signals
    from celery.beat import EmbeddedService

    from quarterdeck.jobs.runs import working

    if is_clock:
        clock = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
        signals.worker_ready.connect(lambda **_: clock.start(), weak=False)
        signals.worker_ready.connect(_start_schedules, weak=False)
    signals.worker_shutting_down.connect(lambda **_: working.stop(), weak=False)
    arguments = ["--pool=threads", f"--concurrency={_SHARDS_AT_ONCE}", f"--queues={queue}", "--hostname=runs@%h"]
    _work(app, data, "runs", arguments)


def _work(app: Any, data: Path, name: str, arguments: list[str]) -> None:
    _connect_signals(data, name)
    state = data / "run" / f"{name}.state"
    common = ["--quiet", "worker", f"--statedb={state}", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
    try:
        app.worker_main([*common, *arguments])
    finally:
        remove_run_file(data, name)


def _close_connections() -> None:
    """The pool is forked from this process: neither SQLite nor PostgreSQL connections survive that."""
    from django.db import connections

    connections.close_all()


def _connect_signals(data: Path, name: str) -> None:
    """Keep our logging, renew the run file with each heartbeat, tie forked processes to this one."""
    from celery import signals

    parent = os.getpid()

    def keep_logging(**_: Any) -> None:
        """Having a receiver is what tells Celery not to configure logging."""

    def alive(**_: Any) -> None:
        write_run_file(data, name)

    def tie(**_: Any) -> None:
        die_with_parent(parent, signal.SIGKILL)

    # weak=False: the functions live only here.
    signals.setup_logging.connect(keep_logging, weak=False)
    signals.worker_ready.connect(alive, weak=False)
    signals.heartbeat_sent.connect(alive, weak=False)
    signals.worker_process_init.connect(tie, weak=False)
    signals.beat_embedded_init.connect(tie, weak=False)
