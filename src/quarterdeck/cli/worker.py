"""quarterdeck worker: scheduled and queued work alone."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def worker(
    data: instance.DataOption = None,
    schedules: Annotated[
        bool, typer.Option("--schedules/--no-schedules", help="Start scheduled work; one worker of all does.")
    ] = True,
    queues: Annotated[
        str, typer.Option("--queues", help="Queues to work on, separated by commas: control,runs; both when not said.")
    ] = "",
    broker: Annotated[str, typer.Option("--broker", help="URL of Redis or RabbitMQ; QD_BROKER_URL.")] = "",
) -> None:
    """Do queued and scheduled work, nothing else.

    Further machines run it with --no-schedules, and with the settings of the first: QD_DATABASE_URL, QD_CLICKHOUSE_URL,
    QD_BROKER_URL and the key of the vault. A password in --broker is seen in the list of processes; the setting is not.
    """
    if broker:
        os.environ["QD_BROKER_URL"] = broker
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    concurrency = int(begin("worker", directory)["worker_concurrency"].value)
    instance.open(directory, must_exist=False)
    from quarterdeck.conf.worker import run

    run(directory, concurrency, schedules=schedules, queues=queues)
