"""qd logs metrics: metrics that are counted from log lines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_rows

metrics = typer.Typer(no_args_is_help=True, help="Metrics that are counted from log lines, each minute.")
_COLUMNS = ("name", "kind", "query", "labels", "series", "evaluated_until", "problem")
Name = Annotated[str, typer.Argument(help="The metric's name: checkout_failures", show_default=False)]


class Kind(StrEnum):
    COUNT = "count"
    DISTRIBUTION = "distribution"


@metrics.command("list")
def list_(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the definitions and how far they are counted. Example: qd logs metrics list -o json"""
    with Client() as client:
        write_rows(client.get("/logs/metrics")["items"], output, columns_of(columns, _COLUMNS))


@metrics.command("set")
def set_(
    name: Name,
    query: Annotated[str, typer.Argument(help="Which lines: service:shop level:>=error")] = "",
    kind: Annotated[Kind, typer.Option("--kind", help="Count lines, or take the numbers of a field.")] = Kind.COUNT,
    field: Annotated[str, typer.Option("--field", help="The field of a distribution: duration_ms")] = "",
    unit: Annotated[str, typer.Option("--unit", help="The last word of the stored name: seconds")] = "",
    labels: Annotated[str, typer.Option("--labels", help="Fields to keep as labels: service,status")] = "",
    parse: Annotated[str, typer.Option("--parse", help="Fields of messages: json, logfmt, access, grok:PATTERN.")] = "",
    series_max: Annotated[int, typer.Option("--series-max", min=1, help="At most so many series.")] = 100,
    off: Annotated[bool, typer.Option("--off", help="Keep the definition, but count nothing.")] = False,
) -> None:
    """Make or change a metric. Example: qd logs metrics set failures 'service:shop level:error' --labels status"""
    body = {
        "query": query, "kind": kind.value, "field": field, "unit": unit, "parse": parse, "series_max": series_max,
        "labels": [one.strip() for one in labels.split(",") if one.strip()], "enabled": not off,
    }  # fmt: skip
    with Client() as client:
        found = client.send("PUT", f"/logs/metrics/{name}", body)
    note(f"{name}: minutes from now on are stored as {', '.join(found['series'])}")


@metrics.command()
def backfill(
    name: Name, hours: Annotated[int, typer.Option("--hours", min=1, max=168, help="How many hours back.")] = 24
) -> None:
    """Count past hours from the lines that are there. Example: qd logs metrics backfill checkout_failures --hours 24"""
    with Client() as client:
        client.send("POST", f"/logs/metrics/{name}/backfill", {"hours": hours})
    note(f"{name}: begins within a minute; `qd logs metrics list` tells how far it is")


@metrics.command()
def delete(name: Name) -> None:
    """Delete a metric; its samples stay as long as others. Example: qd logs metrics delete checkout_failures"""
    with Client() as client:
        client.send("DELETE", f"/logs/metrics/{name}")
    note(f"{name} is deleted")
