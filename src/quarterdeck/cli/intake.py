"""quarterdeck intake: the listeners for telemetry alone."""

from __future__ import annotations

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def intake(data: instance.DataOption = None) -> None:
    """Receive telemetry, nothing else. QD_INTAKE_HTTP moves the listener."""
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin
    from quarterdeck.intake.process import run

    run(directory, str(begin("intake", directory)["intake_http"].value))
