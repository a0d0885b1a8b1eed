"""qd traces: find traces, and see one as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from quarterdeck.cli.changing import write_changes
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import (
    ColumnsOption,
    Format,
    OutputOption,
    columns_of,
    note,
    safe,
    write,
    write_record,
    write_rows,
)

app = typer.Typer(no_args_is_help=True, help="Find and show traces.")
_COLUMNS = ("trace_id", "start", "duration_ns", "root_service", "root_name", "spans", "errors")
_BAR_CHARACTERS = 24
_INDENT_MAX = 24


class Order(StrEnum):
    LATEST = "latest"
    SLOWEST = "slowest"


class Against(StrEnum):
    BEFORE = "before"
    REST = "rest"


@app.command("list")
def list_traces(
    query: Annotated[str, typer.Option("--query", "-q", help="Query, for example: service:shop status:error")] = "",
    since: Annotated[str, typer.Option("--since", help="From when: 30m, 6h, 7d, or a time (ISO 8601).")] = "1h",
    until: Annotated[str, typer.Option("--until", help="Until when; now if left out.")] = "",
    order: Annotated[Order, typer.Option("--order", help="Which traces come first.")] = Order.LATEST,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many rows.")] = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Find traces by their spans. Example: qd traces list -q 'service:shop duration:>500ms' -o json"""
    asked = {"q": query, "since": since, "until": until, "order": order.value, "limit": limit}
    with Client() as client:
        rows = client.get("/traces", asked)["items"]
    write_rows(rows, output, columns_of(columns, _COLUMNS))


@app.command()
def changed(
    query: Annotated[str, typer.Argument(help="Query, for example: service:shop status:error")] = "",
    since: Annotated[str, typer.Option("--since", help="From when: 30m, 6h, 7d, or a time (ISO 8601).")] = "1h",
    until: Annotated[str, typer.Option("--until", help="Until when; now if left out.")] = "",
    selector: Annotated[str, typer.Option("--items", help="Only spans of the items of this query: env:prod")] = "",
    against: Annotated[Against, typer.Option("--against", help="The time before, or the rest.")] = Against.BEFORE,
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="At most so many fields.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """Compare spans with those of the same length of time before, or the chosen ones with the rest of the time.

    Example: qd traces changed 'service:shop status:error' --against rest -o json
    """
    asked: dict[str, str | int] = {"q": query, "since": since, "until": until, "selector": selector, "limit": limit}
    with Client() as client:
        found = client.get("/traces/changed", asked | {"against": against.value})
    write_changes(found, (), output)


@app.command()
def show(
    trace_id: Annotated[str, typer.Argument(help="Id of a trace, in hex.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a trace as a tree; * marks the critical path, ! what failed. Example: qd traces show 4bf92f3577b34da6"""
    with Client() as client:
        found = client.get(f"/traces/{trace_id}")
    if output is Format.TABLE:
        for line in _tree(found):
            write(f"{line}\n")
    elif output is Format.CSV:
        write_rows(
            found["spans"], output, ("depth", "service", "name", "start_ns", "duration_ns", "is_error", "span_id")
        )
    else:
        write_record(found, output)
    if found["is_cut"]:
        note("the trace has more spans than these")


@app.command()
def compare(
    trace_id: Annotated[str, typer.Argument(help="Id of a trace, in hex.", show_default=False)],
    other_id: Annotated[str, typer.Argument(help="Id of the other one.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Show where two traces differ. Example: qd traces compare 4bf92f3577b34da6 a3ce929d0e0e4736"""
    with Client() as client:
        found = client.get(f"/traces/{trace_id}/compare/{other_id}")
    rows = [_compared(step) for step in found["steps"]]
    if output in (Format.TABLE, Format.CSV):
        write_rows(rows, output, tuple(rows[0]) if rows else ())
    else:
        write_record(found, output)
    if found["is_cut"]:
        note("there are more steps than these")


def _compared(step: Mapping[str, Any]) -> dict[str, Any]:
    indent = "  " * min(step["depth"], _INDENT_MAX)
    return {
        "step": f"{indent}{step['service']}: {step['name']}",
        "spans": f"{step['left']['count']} / {step['right']['count']}",
        "waited_for": f"{milliseconds(step['left']['critical_ns'])} / {milliseconds(step['right']['critical_ns'])}",
        "difference": f"{step['difference_ns'] / 1e6:+,.2f} ms",
    }


def milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.2f} ms"


def _tree(trace: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines: a head, then each span with its place in time."""
    services = ", ".join(trace["services"])
    yield safe(
        f"trace {trace['trace_id']}  {milliseconds(trace['duration_ns'])}  {len(trace['spans'])} spans"
        f"  {trace['errors']} failed  {services}"
    )
    if trace["is_unfinished"]:
        yield "the span that began it has not come in"
    for span in trace["spans"]:
        yield _line(trace, span)
    yield from _hints(trace)


def _line(trace: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    depth = span["depth"]
    indent = "  " * min(depth, _INDENT_MAX) + (f"[{depth}] " if depth > _INDENT_MAX else "")
    marks = ("*" if span["critical_ns"] else " ") + ("!" if span["is_error"] else " ")
    said = f"  {span['status_message']}" if span["status_message"] else ""
    name = safe(f"{span['service']}: {span['name']}{said}")
    lost = "  (parent missing)" if span["is_orphan"] else "  (its parents form a circle)" if span["is_cycle"] else ""
    return f"{_bar(trace, span)} {milliseconds(span['duration_ns']):>14} {marks} {indent}{name}{lost}"


def _bar(trace: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    whole = max(1, trace["duration_ns"])
    first = (span["start_ns"] - trace["start_ns"]) * _BAR_CHARACTERS // whole
    last = (span["start_ns"] + span["duration_ns"] - trace["start_ns"]) * _BAR_CHARACTERS // whole
    first = min(max(first, 0), _BAR_CHARACTERS - 1)
    width = max(1, min(last, _BAR_CHARACTERS) - first)
    return f"|{' ' * first}{'=' * width}{' ' * (_BAR_CHARACTERS - first - width)}|"


def _hints(trace: Mapping[str, Any]) -> Iterator[str]:
    hints: Sequence[Mapping[str, Any]] = trace["hints"]
    for hint in hints:
        how = "one after another" if hint["is_sequential"] else "overlapping"
        yield safe(f"repeated: {hint['count']} x {hint['name']} ({how}), {milliseconds(hint['total_ns'])} in sum")
