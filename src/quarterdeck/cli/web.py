"""quarterdeck web: the pages and the API alone."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def web(
    data: instance.DataOption = None,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT to serve on.", show_default=False)] = "",
) -> None:
    """Serve the pages and the API, nothing else. `quarterdeck up` runs all processes."""
    if listen:
        os.environ["QD_LISTEN"] = listen
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    address = str(begin("web", directory)["listen"].value)
    instance.open(directory, must_exist=False)
    from quarterdeck.conf.web import run

    run(directory, address)
