"""qd query: PromQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows

app = typer.Typer()


@app.command()
def query(
    expression: Annotated[str, typer.Argument(help="A PromQL expression.", show_default=False)],
    at: Annotated[
        str, typer.Option("--at", help="Time of an instant query: 5m ago, or ISO 8601; now by default.")
    ] = "",
    since: Annotated[str, typer.Option("--since", help="How far back a range query goes: 30m, 6h, 7d.")] = "",
    step: Annotated[str, typer.Option("--step", help="Resolution of a range query: 30s, 5m.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Ask for metrics in PromQL. Example: qd query 'sum by (job) (rate(http_requests_total[5m]))' --since 1h"""
    parameters = {"query": expression, "at": at, "since": since, "step": step}
    with Client() as client:
        found = client.get("/promql", parameters)
    if output is Format.JSON:
        write_record(found, output)
        return
    rows = list(_rows(found))
    write_rows(rows, output, ("series", "at", "value"))
    if not rows and output is Format.TABLE:
        note("no series")


def _rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each value, as the API of Prometheus has them."""
    kind, result = found["resultType"], found["result"]
    if kind in ("scalar", "string"):
        yield _row({}, result)
        return
    for series in result:
        for point in series.get("values") or [series["value"]]:
            yield _row(series["metric"], point)


def _row(metric: dict[str, str], point: list[Any]) -> dict[str, Any]:
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()) if name != "__name__")
    at = datetime.fromtimestamp(point[0], UTC).isoformat(timespec="milliseconds")
    return {"series": f"{metric.get('__name__', '')}{{{labels}}}", "at": at, "value": point[1]}
