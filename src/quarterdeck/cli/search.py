"""qd search: one search across everything."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, write_rows

app = typer.Typer()


@app.command()
def search(
    text: Annotated[list[str], typer.Argument(help="Words to find.", show_default=False)],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many rows.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """Search names, addresses, labels and values. Example: qd search 10.0.0.7"""
    with Client() as client:
        found = client.get("/search", {"q": " ".join(text), "limit": limit})["items"]
    write_rows(found, output, ("id", "type", "name", "state", "env", "primary_ip"))
