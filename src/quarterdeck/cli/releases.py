"""qd releases: the share of sessions without a crash, and how far a release has spread."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli import git_log
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_rows

app = typer.Typer(no_args_is_help=True, help="Releases that Sentry's SDKs told of: their health and adoption.")
_COLUMNS = ("version", "project", "first_seen", "sessions", "crash_free_sessions", "adoption", "events", "new_issues")


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


@app.command("set-commits")
def set_commits(
    version: Annotated[str, typer.Argument(help="The release that the SDK names.")],
    project: Annotated[int, typer.Option("--project", help="The number at the end of the DSN.")],
    since: Annotated[
        str, typer.Option("--since", help="The last commit of the release before, which is left out.")
    ] = "",
    path: Annotated[Path, typer.Option("--path", help="The repository.", exists=True, file_okay=False)] = Path(),
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many commits.")] = 100,
) -> None:
    """Send the commits of a repository. Example: qd releases set-commits shop@1.2 --project 42 --since v1.1"""
    body = {"project": project, "version": version, "commits": git_log.commits(path, since=since, limit=limit)}
    with Client() as client:
        found = client.send("PUT", "/errors/releases/commits", body)["items"]
    note(f"{version} has {len(found)} commit{'' if len(found) == 1 else 's'}")


@app.command()
def commits(
    release: Annotated[int, typer.Argument(help="The number of a release, as list shows it with --columns id.")],
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List the commits of a release, the newest first. Example: qd releases commits 7"""
    with Client() as client:
        found = client.get(f"/errors/releases/{release}/commits")["items"]
    write_rows(found, output, columns_of(columns, ("sha", "at", "author_name", "message", "repository")))
