"""The worker process: Celery's worker, by default with the schedules of django-celery-beat inside."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

from quarterdeck.core.processes import die_with_parent, remove_run_file, write_run_file


def run(data: Path, concurrency: int, *, schedules: bool = True, queues: str = "") -> None:
    """Prepare the records and work for the instance in `data` until SIGTERM; block.

    SIGTERM lets running tasks finish for a few seconds; what is not finished goes back to the queue.
    """
    # Read by Celery when it is imported. A warm shutdown, its default, would wait for tasks without end.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    from quarterdeck.conf.celery import QUEUE, app
    from quarterdeck.conf.startup import prepare_records

    prepare_records()
    _close_connections()
    _connect_signals(data)
    _share_memory(app)
    arguments = [
        "--quiet",
        "worker",
        f"--concurrency={concurrency}",
        f"--queues={queues or QUEUE}",
        f"--statedb={data / 'run' / 'worker.state'}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]
    try:
        app.worker_main([*arguments, "--beat"] if schedules else arguments)
    finally:
        remove_run_file(data, "worker")


def _close_connections() -> None:
    """The pool is forked from this process: neither SQLite nor PostgreSQL connections survive that."""
    from django.db import connections

    connections.close_all()


def _share_memory(app: Any) -> None:
    """Load what tasks need before the pool is forked, and keep the collector from touching (so copying) it there."""
    app.loader.import_default_modules()
    gc.collect()
    gc.freeze()


def _connect_signals(data: Path) -> None:
    """Keep our logging, renew the run file with each heartbeat, tie forked processes to this one."""
    from celery import signals

    parent = os.getpid()

    def keep_logging(**_: Any) -> None:
        """Having a receiver is what tells Celery not to configure logging."""

    def alive(**_: Any) -> None:
        write_run_file(data, "worker")

    def tie(**_: Any) -> None:
        die_with_parent(parent, signal.SIGKILL)

    # weak=False: the functions live only here.
    signals.setup_logging.connect(keep_logging, weak=False)
    signals.worker_ready.connect(alive, weak=False)
    signals.heartbeat_sent.connect(alive, weak=False)
    signals.worker_process_init.connect(tie, weak=False)
    signals.beat_embedded_init.connect(tie, weak=False)
