"""The work queue keeps the same promises on every broker: one suite, three real brokers."""

from __future__ import annotations

import pytest
from tests.lab.parts import wait_until
from tests.processes.conftest import Queue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_it_starts_work_that_is_sent(queue: Queue) -> None:
    queue.start_worker()
    names = {f"task{number}" for number in range(10)}
    for name in names:
        queue.send("lab.mark", name)
    queue.wait_marks(names)


def test_it_does_not_run_a_revoked_task(queue: Queue) -> None:
    queue.start_worker()
    queue.send("lab.hold", "first", 1.5)
    wait_until(lambda: queue.attempts("first"), "the first task")
    revoked = queue.send("lab.mark", "revoked")
    queue.app.control.revoke(revoked)
    queue.send("lab.mark", "last")
    queue.wait_marks({"first", "last"})
    assert "revoked" not in queue.marks()


def test_it_ends_a_running_task_that_is_revoked(queue: Queue) -> None:
    queue.start_worker()
    running = queue.send("lab.hold", "endless", 3600)
    wait_until(lambda: queue.attempts("endless"), "the task")
    queue.app.control.revoke(running, terminate=True, signal="SIGKILL")
    queue.send("lab.mark", "next")
    queue.wait_marks({"next"})
    assert "endless" not in queue.marks()


def test_it_tells_what_runs(queue: Queue) -> None:
    queue.start_worker()
    running = queue.send("lab.hold", "busy", 3)
    wait_until(lambda: queue.attempts("busy"), "the task")
    active = queue.app.control.inspect(timeout=2).active()
    ours = [task["id"] for tasks in active.values() for task in tasks]
    assert running in ours


def test_it_loses_and_doubles_nothing_when_a_worker_is_killed(queue: Queue) -> None:
    worker = queue.start_worker(concurrency=2)
    names = {f"task{number}" for number in range(20)}
    for name in sorted(names):
        queue.send("lab.hold", name, 0.3)
    wait_until(lambda: len(queue.marks()) >= 4, "some tasks")
    worker.kill()
    queue.start_worker(concurrency=2)
    queue.wait_marks(names)
    # Two ran, or had just ended without the broker knowing, and two were prefetched when it was killed.
    assert sum(queue.attempts(name) - 1 for name in names) <= 4


def test_it_goes_on_after_the_broker_was_restarted(queue: Queue) -> None:
    queue.start_worker()
    queue.send("lab.mark", "before")
    queue.wait_marks({"before"})
    queue.broker.restart()
    queue.send("lab.mark", "after")
    queue.wait_marks({"before", "after"})


def test_it_keeps_waiting_work_over_a_restart_of_the_broker(queue: Queue) -> None:
    names = {f"task{number}" for number in range(50)}
    for name in names:
        queue.send("lab.mark", name)
    queue.broker.restart()
    queue.start_worker()
    queue.wait_marks(names)


def test_two_workers_share_the_work(queue: Queue) -> None:
    queue.start_worker()
    queue.start_worker()
    names = {f"task{number}" for number in range(12)}
    for name in names:
        queue.send("lab.hold", name, 0.2)
    queue.wait_marks(names)
    assert all(queue.attempts(name) == 1 for name in names)
    workers = {line for name in names for line in (queue.out / f".{name}.attempts").read_text().split()}
    assert len(workers) == 2
