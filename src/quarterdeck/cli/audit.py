"""audit list, export, verify: who did what, and whether the record is whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_record, write_rows
from quarterdeck.cli.token import DataOption, is_remote

app = typer.Typer(no_args_is_help=True, help="The audit log.")
QueryOption = Annotated[str, typer.Option("--query", "-q", help="Query, for example: verb:inventory* result:denied")]
COLUMNS = ("id", "at", "actor", "verb", "object", "result", "detail")


@app.command("list")
def list_events(
    query: QueryOption = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List what was done, newest first. Example: qd audit list -q 'result:denied' -o json"""
    with Client() as client:
        rows = client.rows("/audit", {"q": query}, at_most=limit)
        write_rows(rows, output, columns_of(columns, COLUMNS))


@app.command()
def export(
    query: QueryOption = "",
    format_: Annotated[str, typer.Option("--format", help="jsonl or csv")] = "jsonl",
    to: Annotated[Path | None, typer.Option("--to", help="File to write; standard output when left out.")] = None,
) -> None:
    """Export the log, oldest first. Example: qd audit export --format csv --to audit.csv"""
    with Client() as client:
        params = {"q": query, "format": format_}
        if to is None:
            client.download("/audit/export", sys.stdout.buffer, params)
            return
        with to.open("wb") as target:
            client.download("/audit/export", target, params)


@app.command()
def verify(data: DataOption = None, output: OutputOption = Format.TABLE) -> None:
    """Check that no record was edited, removed, reordered or cut off. Exit code 1 names the first bad record.

    Example: quarterdeck audit verify --data /var/lib/quarterdeck
    """
    if is_remote(data):
        with Client() as client:
            found: dict[str, Any] = client.send("POST", "/audit/verify")
    else:
        instance.open(data)
        from quarterdeck.audit.queries import verify as verify_here

        found = verify_here().as_dict()
    write_record(found, output)
    if not found["ok"]:
        raise typer.Exit(1)
