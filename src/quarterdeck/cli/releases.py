"""qd releases: the share of sessions without a crash, and how far a release has spread."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_rows

app = typer.Typer(no_args_is_help=True, help="Releases that Sentry's SDKs told of: their health and adoption.")
_COLUMNS = ("version", "project", "first_seen", "sessions", "crash_free_sessions", "adoption", "events", "new_issues")


@app.callback()
def _group() -> None:
    """Keep `list` a command of its own: with one command, Typer would leave its name out."""


@app.command("list")
def list_(
    query: Annotated[str, typer.Option("--query", "-q", help="release:shop@* environment:prod")] = "",
    since: Annotated[str, typer.Option("--since", help="How far back: 6h, 7d, or a time (ISO 8601).")] = "24h",
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List releases, the newest first. Example: qd releases list -q release:shop@* --since 7d"""
    with Client() as client:
        found = client.get("/errors/releases", {"q": query, "since": since})["items"]
    write_rows(found, output, columns_of(columns, _COLUMNS))
