"""qd workers: who does queued work, and what waits."""

from __future__ import annotations

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, safe, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Workers: who does queued work.")
_COLUMNS = ("name", "queues", "slots", "busy", "reserved", "done", "pid", "uptime_seconds")


@app.callback()
def _group() -> None:
    """Keep `list` a subcommand, also while it is the only one."""


@app.command("list")
def list_(output: OutputOption = Format.TABLE) -> None:
    """List the workers that answer, and how much waits in their queues."""
    with Client() as client:
        found = client.get("/workers")
    if output in (Format.JSON, Format.YAML):
        write_record({"workers": found["items"], "queues": found["queues"]}, output)
        return
    write_rows([row | {"busy": len(row["running"])} for row in found["items"]], output, _COLUMNS)
    for queue in found["queues"]:
        note(f"queue {safe(queue['name'])}: {queue['waiting']} waiting, {queue['consumers']} workers")
