"""qd monitors: scheduled jobs that report their runs, and which of them are late."""

from __future__ import annotations

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_rows

app = typer.Typer(no_args_is_help=True, help="Scheduled jobs that report their runs by Sentry's check-ins.")
_COLUMNS = ("slug", "environment", "service", "schedule", "state", "state_since", "last_at", "next_due")


@app.callback()
def _group() -> None:
    """Keep `list` a command of its own: with one command, Typer would leave its name out."""


@app.command("list")
def list_(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List scheduled jobs, those with trouble first. Example: qd monitors list -o json"""
    with Client() as client:
        write_rows(client.get("/errors/monitors")["items"], output, columns_of(columns, _COLUMNS))
