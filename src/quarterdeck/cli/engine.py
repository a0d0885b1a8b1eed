"""quarterdeck engine: the embedded ClickHouse engine alone."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def engine(
    data: instance.DataOption = None,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
) -> None:
    """Run the embedded telemetry engine, nothing else. Not needed with QD_CLICKHOUSE_URL."""
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    memory_mb = int(begin("engine", directory)["engine_memory_mb"].value)
    from quarterdeck.telemetry.engine import serve
    from quarterdeck.telemetry.engine.limits import Limits

    serve(directory, listen, limits=Limits(memory_mb=memory_mb))
