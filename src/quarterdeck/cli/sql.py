"""qd sql: one's own SELECT over the telemetry."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_rows

app = typer.Typer()


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="SELECT ... FROM samples, series, spans, logs ...")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many rows.")] = 10_000,
    output: OutputOption = Format.JSON,
) -> None:
    """Run one SELECT over the telemetry; read-only and limited. Example: qd sql 'SELECT count() FROM spans'"""
    with Client() as client:
        found = client.send("POST", "/sql", {"query": statement, "limit": limit})
    write_rows(found["rows"], output, [column["name"] for column in found["columns"]])
    if found["is_cut"]:
        note(f"there are more than {limit} rows; --limit shows more of them")
