"""qd drift: where what people want and what sources see differ."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_rows

app = typer.Typer()


@app.command()
def drift(
    query: Annotated[str, typer.Option("--query", "-q", help="Only items that this query selects.")] = "",
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List items whose desired and observed values differ. Example: qd drift -q env:prod"""
    with Client() as client:
        rows = client.rows("/drift", {"q": query})
        write_rows(rows, output, columns_of(columns, ("item_id", "item", "field", "desired", "observed")))
