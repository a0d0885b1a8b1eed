"""qd errors: issues, their events, and what to do with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import (
    ColumnsOption,
    Format,
    OutputOption,
    columns_of,
    note,
    write_record,
    write_rows,
)

app = typer.Typer(no_args_is_help=True, help="Errors as issues: list, show, resolve, ignore, assign, merge.")
_COLUMNS = ("id", "level", "title", "service", "state", "window_events", "window_users", "last_seen", "assignee")
_EVENTS = ("ts", "event_id", "level", "message", "service", "host", "release", "user")
Ids = Annotated[list[int], typer.Argument(help="The numbers of issues.")]
Id = Annotated[int, typer.Argument(help="The number of an issue.")]


@app.command("list")
def list_(
    query: Annotated[str, typer.Option("--query", "-q", help="is:unresolved level:error release:shop@*")] = "",
    since: Annotated[str, typer.Option("--since", help="Seen since: 6h, 7d, or a time (ISO 8601).")] = "14d",
    until: Annotated[str, typer.Option("--until", help="Until when; now when it is left out.")] = "",
    selector: Annotated[str, typer.Option("--items", help="Only issues of the items of this query: env:prod")] = "",
    sort: Annotated[str, typer.Option("--sort", help="last_seen, first_seen, events or users; -events: falling")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 50,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List issues. Example: qd errors list -q 'is:unresolved' -o json"""
    asked = {"q": query, "since": since, "until": until, "selector": selector, "sort": sort}
    with Client() as client:
        write_rows(client.rows("/errors/issues", asked, at_most=limit), output, columns_of(columns, _COLUMNS))


@app.command()
def show(issue: Id, output: OutputOption = Format.TABLE) -> None:
    """Show an issue with where it was seen and what happened to it. Example: qd errors show 7"""
    with Client() as client:
        found = client.get(f"/errors/issues/{issue}")
    rest = {name: value for name, value in found.items() if name != "issue"}
    write_record({**found["issue"], **rest}, output)


@app.command()
def events(
    issue: Id,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many, the newest; 0 for all.")] = 50,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List an issue's events, newest first. Example: qd errors events 7 -o csv"""
    with Client() as client:
        rows = client.rows(f"/errors/issues/{issue}/events", at_most=limit)
        write_rows(rows, output, columns_of(columns, _EVENTS))


@app.command()
def event(
    issue: Id,
    event_id: Annotated[str, typer.Argument(help="The event's id, or latest.")] = "latest",
    output: OutputOption = Format.JSON,
) -> None:
    """Show one event as the SDK sent it. Example: qd errors event 7"""
    with Client() as client:
        write_record(client.get(f"/errors/issues/{issue}/events/{event_id}"), output)


@app.command()
def origin(issue: Id, output: OutputOption = Format.JSON) -> None:
    """Show suspect commits and owners by the newest event. Example: qd errors origin 7"""
    with Client() as client:
        write_record(client.get(f"/errors/issues/{issue}/origin"), output)


@app.command()
def resolve(
    issues: Ids,
    release: Annotated[str, typer.Option("--in", help="In this release, or in the next one: --in next")] = "",
) -> None:
    """Resolve issues; a later event opens them again. Example: qd errors resolve 7 8 --in next"""
    _send("resolve", "resolved", {"ids": issues, "release": release})


@app.command()
def reopen(issues: Ids) -> None:
    """Make issues unresolved. Example: qd errors reopen 7"""
    _send("reopen", "reopened", {"ids": issues})


@app.command()
def ignore(
    issues: Ids,
    hours: Annotated[float, typer.Option("--hours", min=0, help="For so many hours.")] = 0,
    more_events: Annotated[int, typer.Option("--events", min=0, help="Until so many more events came.")] = 0,
    more_users: Annotated[int, typer.Option("--users", min=0, help="Until it met so many more users.")] = 0,
) -> None:
    """Ignore issues, for ever without an option. Example: qd errors ignore 7 --events 100"""
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat() if hours else None
    body = {"ids": issues, "until": until, "events": more_events or None, "users": more_users or None}
    _send("ignore", "ignored", body)


@app.command()
def assign(
    issues: Ids,
    to: Annotated[str, typer.Option("--to", help="A user name, or me; nobody when it is left out.")] = "",
) -> None:
    """Assign issues. Example: qd errors assign 7 8 --to ann"""
    _send("assign", "assigned", {"ids": issues, "assignee": to})


@app.command()
def merge(issues: Ids) -> None:
    """Make issues one: the first takes the events of the others. Example: qd errors merge 7 8"""
    with Client() as client:
        found = client.send("POST", "/errors/issues/merge", {"ids": issues})
    note(f"#{found['id']} has {found['events']} events now")


@app.command()
def split(
    issue: Id,
    groups: Annotated[list[str], typer.Argument(help="Hashes of its groups, as qd errors show lists them.")],
) -> None:
    """Take groups of events out of an issue. Example: qd errors split 7 6f1d0c6a2b3e4f50"""
    with Client() as client:
        found = client.send("POST", f"/errors/issues/{issue}/split", {"groups": groups})
    note(f"#{found['id']} has them now")


@app.command()
def comment(issue: Id, text: Annotated[str, typer.Argument(help="What to write.")]) -> None:
    """Write a comment. Example: qd errors comment 7 'seen after the upgrade'"""
    with Client() as client:
        client.send("POST", f"/errors/issues/{issue}/comments", {"text": text})
    note("written")


def _send(what: str, done: str, body: dict[str, Any]) -> None:
    with Client() as client:
        changed = client.send("POST", f"/errors/issues/{what}", body)["changed"]
    note(f"{done} {changed} issue{'' if changed == 1 else 's'}")
