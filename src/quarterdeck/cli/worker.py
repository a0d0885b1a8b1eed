"""quarterdeck worker: scheduled and queued work alone."""

from __future__ import annotations

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
    queues: Annotated[str, typer.Option("--queues", help="Queues to work on, separated by commas.")] = "",
) -> None:
    """Do queued and scheduled work, nothing else. Further machines run it with --no-schedules."""
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    concurrency = int(begin("worker", directory)["worker_concurrency"].value)
    instance.open(directory, must_exist=False)
    from quarterdeck.conf.worker import run

    run(directory, concurrency, schedules=schedules, queues=queues)
