"""A work queue on each broker, with workers that can be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery
from tests.lab.brokers import BROKERS, Broker
from tests.lab.parts import ROOT, Server, directory, wait_until

from quarterdeck.conf.celery import configuration


class Queue:
    """One queue on one broker: `app` sends, `start_worker` works, `marks` tells what was done."""

    def __init__(self, broker: Broker, home: Path) -> None:
        self.broker = broker
        self.home = home
        self.out = home / "out"
        self.out.mkdir()
        self.name = f"lab-{uuid4().hex[:8]}"
        self.workers: list[Server] = []
        self.app = Celery("lab-client", fixups=[], set_as_current=False)
        self.app.conf.update(configuration(broker.url), task_default_queue=self.name)
        if not broker.url:
            self.app.conf.broker_transport_options = {"directory": str(home)}

    def start_worker(self, concurrency: int = 1) -> Server:
        """Start a worker and wait until it takes orders."""
        name = f"w{len(self.workers)}-{self.name}"
        words = [sys.executable, "-m", "celery", "-A", "tests.lab.queue_app", "worker", "-n", f"{name}@lab"]
        words += ["--concurrency", str(concurrency), "--without-gossip", "--without-mingle", "-l", "info"]
        environment = {
            "QD_DATA": str(self.home),
            "QD_BROKER_URL": self.broker.url,
            "QD_BROKER_VISIBILITY_SECONDS": "5",
            "LAB_QUEUE": self.name,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
            "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings",
        }
        worker = Server(words, self.home / f"{name}.log", environment)
        self.workers.append(worker)
        worker.wait_for(lambda: self.answers(f"{name}@lab"), "the worker")
        return worker

    def answers(self, worker: str) -> bool:
        """Whether the worker answers a ping. A connection that a restarted broker has closed counts as no answer."""
        with self.app.connection_for_write() as connection:
            try:
                return bool(self.app.control.ping([worker], timeout=0.5, connection=connection))
            except connection.recoverable_connection_errors:
                return False

    def send(self, task: str, *arguments: object, task_id: str | None = None) -> str:
        return str(self.app.send_task(task, (str(self.out), *arguments), task_id=task_id).id)

    def marks(self) -> set[str]:
        return {path.name for path in self.out.iterdir() if not path.name.startswith(".")}

    def attempts(self, name: str) -> int:
        path = self.out / f".{name}.attempts"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def wait_marks(self, names: set[str], seconds: float = 90) -> None:
        wait_until(lambda: names <= self.marks(), f"{len(names)} tasks; {self.logs()}", seconds)

    def logs(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in self.home.glob("w*.log"))


@pytest.fixture(scope="session", params=list(BROKERS))
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with BROKERS[request.param]() as running:
        yield running


@pytest.fixture
def queue(broker: Broker) -> Iterator[Queue]:
    with directory() as home:
        queue = Queue(broker, home)
        try:
            yield queue
        finally:
            for worker in queue.workers:
                worker.kill()
            queue.app.close()
