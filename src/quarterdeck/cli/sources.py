"""sources list, sync: what feeds the inventory, and when it was last read."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_rows

app = typer.Typer(no_args_is_help=True, help="Passes of sources over the world.")
COLUMNS = ("id", "source", "scope", "started_at", "ended_at", "outcome", "message")


@app.command("list")
def list_passes(
    source: Annotated[str, typer.Option("--source", help="Only this source, for example docker_engine.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many rows.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the last passes, newest first. Example: qd sources list --source this_machine"""
    with Client() as client:
        found = client.get("/sync-runs", {"source": source, "limit": limit})["items"]
    write_rows(found, output, COLUMNS)


@app.command()
def sync() -> None:
    """Read all sources now, not at the next scheduled time. Example: qd sources sync"""
    with Client() as client:
        client.send("POST", "/sync-runs")
    note("the sources are being read; qd sources list shows the passes")
