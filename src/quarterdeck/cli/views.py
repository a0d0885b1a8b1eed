"""qd views: saved queries with their columns."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Saved views.")
Slug = Annotated[str, typer.Argument(help="Short name of the view.", show_default=False)]


@app.command("list")
def list_views(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the views that you may use. Example: qd views list"""
    with Client() as client:
        rows = client.rows("/views")
        write_rows(rows, output, columns_of(columns, ("slug", "title", "query", "owner", "shared")))


@app.command()
def show(slug: Slug, output: OutputOption = Format.TABLE) -> None:
    """List the items of a view with its columns. Example: qd views show web-servers -o csv"""
    with Client() as client:
        view = client.get(f"/views/{slug}")
        rows = client.rows("/items", {"q": view["query"], "sort": view["sort"]})
        write_rows(rows, output, view["columns"] or ("id", "type", "name", "state", "env"))


@app.command()
def save(
    slug: Slug,
    title: Annotated[str, typer.Option("--title", help="Title; the short name when left out.")] = "",
    query: Annotated[str, typer.Option("--query", "-q", help="Query of the view.")] = "",
    columns: ColumnsOption = "",
    sort: Annotated[str, typer.Option("--sort", help="Column to order by.")] = "",
    shared: Annotated[bool, typer.Option("--shared", help="Let everybody use it.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Save a view, or change it. Example: qd views save web-servers -q 'type:host role:web' --shared"""
    body = {"title": title or slug, "query": query, "columns": columns_of(columns, ()), "sort": sort, "shared": shared}
    with Client() as client:
        write_record(client.send("PUT", f"/views/{slug}", body), output)


@app.command()
def delete(slug: Slug) -> None:
    """Delete a view. Example: qd views delete web-servers"""
    with Client() as client:
        client.send("DELETE", f"/views/{slug}")
