"""Schedules: written from what packages declare, started by the worker on every broker."""

from __future__ import annotations

import re

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from tests.lab.brokers import Broker
from tests.lab.instances import running_instance
from tests.lab.parts import wait_until

from quarterdeck.conf.schedules import declared, write_schedules


@pytest.mark.django_db
def test_it_writes_what_packages_declare() -> None:
    assert write_schedules() == len(declared()) > 0
    written = {row.name: (row.task, row.interval.every) for row in PeriodicTask.objects.select_related("interval")}
    assert written == declared()


@pytest.mark.django_db
def test_it_keeps_a_persons_choice_and_schedules_of_their_own() -> None:
    write_schedules()
    name = next(iter(declared()))
    PeriodicTask.objects.filter(name=name).update(enabled=False)
    interval = IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="mine", task="anything", interval=interval)
    write_schedules()
    assert PeriodicTask.objects.get(name=name).enabled is False
    assert PeriodicTask.objects.filter(name="mine").exists()


@pytest.mark.django_db
def test_it_removes_what_is_no_longer_declared() -> None:
    interval = IntervalSchedule.objects.create(every=77, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="gone", task="gone", interval=interval, description="built in")
    write_schedules()
    assert not PeriodicTask.objects.filter(name="gone").exists()


def test_every_declared_task_exists() -> None:
    from quarterdeck.conf.celery import app

    app.loader.import_default_modules()
    assert {task for task, _ in declared().values()} <= set(app.tasks)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_whole_instance_does_scheduled_work_on_every_broker(broker: Broker) -> None:
    with running_instance({"QD_BROKER_URL": broker.url, "QD_COLLECT_INTERVAL_SECONDS": "1"}) as instance:
        log = instance.data / "log" / "worker.log"
        wait_until(lambda: re.search(r"Task monitoring.collect\S+ succeeded", log.read_text()), "a task", 90)
        assert instance.get("/readyz")[1]["processes"]["worker"] == {"status": "ready"}
