"""qd logs: search lines, and follow them as they come in."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from quarterdeck.cli.changing import write_changes
from quarterdeck.cli.client import Client
from quarterdeck.cli.log_metrics import metrics
from quarterdeck.cli.output import (
    ColumnsOption,
    Format,
    OutputOption,
    columns_of,
    note,
    safe,
    value_at,
    write,
    write_rows,
)
from quarterdeck.core.errors import BadInput, Unavailable


class _Searching(TyperGroup):
    """`qd logs QUERY` is `qd logs search QUERY`: what is no command's name is a query."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named else ["search", *args])


app = typer.Typer(cls=_Searching, help="Search log lines, follow them as they come in, and see what changed.")
app.add_typer(metrics, name="metrics")
_COLUMNS = ("ts", "level", "service", "host", "message")
_RETRY_SECONDS = 1.0
QueryArgument = Annotated[str, typer.Argument(help='Words, or field:value: service:shop level:error "timeout"')]
SinceOption = Annotated[str, typer.Option("--since", help="How far back: 30m, 6h, 7d, or a time (ISO 8601).")]
UntilOption = Annotated[str, typer.Option("--until", help="Until when; now when it is left out.")]
ItemsOption = Annotated[str, typer.Option("--items", help="Only lines of the items of this query: env:prod")]
ParseOption = Annotated[str, typer.Option("--parse", help="Fields of messages: json, logfmt, access, grok:PATTERN.")]


@app.command()
def search(
    query: QueryArgument = "",
    since: SinceOption = "1h",
    until: UntilOption = "",
    selector: ItemsOption = "",
    parse: ParseOption = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines as they come in.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many lines, the newest; 0 for all.")] = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Search lines, newest last; `search` may be left out. With --follow new ones are printed as they come: JSON has
    one in a line then.

    Example: qd logs search 'service:shop level:error "timeout"' --since 1h -o json
    """
    chosen = columns_of(columns, _COLUMNS)
    if follow and output not in (Format.TABLE, Format.JSON):
        raise BadInput(f"lines that come in cannot be printed as {output.value}", hint="-o table or -o json")
    with Client() as client:
        asked = {"q": query, "since": since, "until": until, "selector": selector, "parse": parse}
        if follow:
            _follow(client, asked, limit, chosen, output)
            return
        newest = list(client.rows("/logs", asked, at_most=limit))
    write_rows(reversed(newest), output, chosen)


@app.command()
def changed(
    query: QueryArgument = "",
    since: SinceOption = "1h",
    until: UntilOption = "",
    selector: ItemsOption = "",
    parse: ParseOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="At most so many fields and patterns.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """Compare lines with those of the same length of time before: fields, values and patterns that differ most.

    Example: qd logs changed 'service:shop' --since 1h -o json
    """
    asked: dict[str, str | int] = {"q": query, "since": since, "until": until, "selector": selector, "parse": parse}
    with Client() as client:
        found = client.get("/logs/changed", asked | {"limit": limit})
    patterns = [{"field": "pattern", "value": one["template"], "kind": "value", **one} for one in found["patterns"]]
    write_changes(found, patterns, output)


def _follow(client: Client, asked: dict[str, str], limit: int, columns: Sequence[str], output: Format) -> None:
    """Print the newest lines, then what comes in, until interrupted."""
    events = client.events("/logs/tail", {"q": asked["q"], "selector": asked["selector"]})
    # The stream is open before the past is read: nothing falls between the two.
    opened = next(events, None)
    past = list(client.rows("/logs", asked, at_most=limit or 1000))
    seen = {(row["ts_ns"], row["id"]) for row in past}
    for row in reversed(past):
        _print(row, columns, output)
    for row in _reopened(client, events, opened, asked):
        if (row["ts_ns"], row["id"]) not in seen:
            _print(row, columns, output)


def _reopened(client: Client, events: Iterator[Any], first: Any, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield lines; a stream that breaks off is opened again."""
    while True:
        try:
            if first:
                yield first
            yield from (event for event in events if event)
        except Unavailable as error:
            note(f"{error.message}; going on when it answers again")
        first = None
        time.sleep(_RETRY_SECONDS)
        events = client.events("/logs/tail", {"q": asked["q"], "selector": asked["selector"]})


def _print(row: dict[str, Any], columns: Sequence[str], output: Format) -> None:
    """Print one line at once: the widths of what is still to come are not known."""
    if output is Format.JSON:
        write(json.dumps(row) + "\n")
    else:
        cells = (safe(str(value_at(row, column) or "")) for column in columns)
        write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()
