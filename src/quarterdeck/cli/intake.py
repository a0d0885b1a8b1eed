"""quarterdeck intake: the listeners for telemetry alone."""

from __future__ import annotations

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def intake(data: instance.DataOption = None) -> None:
    """Receive telemetry, nothing else. QD_INTAKE_HTTP and its likes move the listeners."""
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    settings = {name: setting.value for name, setting in begin("intake", directory).items()}
    instance.open(directory, must_exist=False)
    from quarterdeck.intake.process import run

    run(directory, settings)
