"""qd services: services by their calls."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Rate, errors and durations of services.")
Since = Annotated[str, typer.Option("--since", help="How far back: 30m, 6h, 7d, or a time (ISO 8601).")]
_FIGURES = ("count", "errors", "p50_ns", "p95_ns", "p99_ns")


@app.command("list")
def list_services(since: Since = "1h", output: OutputOption = Format.TABLE) -> None:
    """List services with all calls that they answered. Example: qd services list --since 24h"""
    with Client() as client:
        rows = client.get("/services", {"since": since})["items"]
    write_rows(rows, output, ("name", *_FIGURES, "apdex", "last_seen"))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a service.", show_default=False)],
    since: Since = "1h",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a service. Tables list its operations; JSON and YAML hold all. Example: qd services show shop"""
    with Client() as client:
        found = client.get(f"/services/{quote(name)}", {"since": since, "step_seconds": 3600})
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    write_rows(found["operations"], output, ("name", "kind", *_FIGURES))


@app.command("map")
def service_map(since: Since = "1h", output: OutputOption = Format.TABLE) -> None:
    """List who calls whom. JSON and YAML hold the nodes as well. Example: qd services map -o json"""
    with Client() as client:
        found = client.get("/service-map", {"since": since})
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    write_rows(found["edges"], output, ("caller", "callee", "kind", *_FIGURES))


@app.command()
def statements(
    since: Since = "1h",
    category: Annotated[str, typer.Option("--category", help="database, cache, queue or external.")] = "database",
    service: Annotated[str, typer.Option("--service", help="Of one service only.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List slow statements, what took longest in sum first. Example: qd services statements --since 24h"""
    with Client() as client:
        asked = {"since": since, "category": category, "service": service}
        rows = client.get("/statements", asked)["items"]
    write_rows(rows, output, ("statement", "system", "target", "count", "errors", "total_ns", "p95_ns", "callers"))
