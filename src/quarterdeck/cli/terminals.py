"""qd terminals: who was on which host, and what was seen there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Terminals on hosts, and their recordings.")
_COLUMNS = ("id", "state", "end", "place", "actor", "printed_bytes", "created_at")
TerminalArgument = Annotated[int, typer.Argument(help="Number of the terminal.", show_default=False)]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option("--state", help="Only those in it: waiting,open,ended")] = "",
    text: Annotated[str, typer.Option("--name", help="Part of a host's or a person's name.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List terminals, newest first: your own, and those whose recordings you may see."""
    with Client() as client:
        rows = client.rows("/terminals", {"state": state, "q": text}, at_most=limit)
        write_rows(rows, output, columns_of(columns, _COLUMNS))


@app.command()
def show(terminal: TerminalArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one terminal and how it ended."""
    with Client() as client:
        write_record(client.get(f"/terminals/{terminal}"), output)


@app.command()
def download(
    terminal: TerminalArgument,
    to: Annotated[Path | None, typer.Option("--to", help="File to write; standard output when left out.")] = None,
) -> None:
    """Download a recording in the form of asciicast v2.

    Example: qd terminals download 7 --to shell.cast && asciinema play shell.cast
    """
    path = f"/terminals/{terminal}/recording"
    with Client() as client:
        if to is None:
            client.download(path, sys.stdout.buffer)
            return
        partial = to.with_name(f".{to.name}.part")
        with partial.open("wb") as target:
            client.download(path, target)
        partial.replace(to)


@app.command()
def close(terminal: TerminalArgument, output: OutputOption = Format.TABLE) -> None:
    """End a terminal that is open."""
    with Client() as client:
        found = client.send("POST", f"/terminals/{terminal}/close")
        write_rows([found], output, _COLUMNS)
