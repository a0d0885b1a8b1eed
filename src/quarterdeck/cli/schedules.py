"""qd schedules: runs that begin by themselves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_record, write_rows
from quarterdeck.cli.running import watch
from quarterdeck.cli.templates import SetOption, values_of
from quarterdeck.core.durations import seconds_of
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Schedules: runs that begin by themselves.")
_COLUMNS = ("name", "template", "when", "time_zone", "is_enabled", "next_run_at", "last.outcome", "last.run", "owner")
_HISTORY = ("due_at", "outcome", "run", "run_state", "is_by_hand", "error")
NameArgument = Annotated[str, typer.Argument(help="Name of the schedule.", show_default=False)]


@app.command("list")
def list_(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the schedules: when each is due next, and what became of its last time."""
    with Client() as client:
        write_rows(client.rows("/schedules"), output, columns_of(columns, _COLUMNS))


@app.command()
def show(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show a schedule with its next five times. Example: qd schedules show nightly"""
    with Client() as client:
        write_record(client.get(f"/schedules/{name}"), output)


@app.command()
def history(
    name: NameArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the times at which a schedule was due, newest first, and what became of each."""
    with Client() as client:
        write_rows(client.rows(f"/schedules/{name}/history", at_most=limit), output, _HISTORY)


@app.command()
def create(
    name: NameArgument,
    template: Annotated[str, typer.Option("--template", help="Template that is started.")] = "",
    answers: SetOption = None,
    command: Annotated[str, typer.Option("--command", help="Command for the hosts' shell, instead.")] = "",
    query: Annotated[str, typer.Option("--query", "-q", help="Hosts; narrows the template's own.")] = "",
    cron: Annotated[str, typer.Option("--cron", help="minute hour day month weekday: '30 3 * * mon-fri'")] = "",
    every: Annotated[str, typer.Option("--every", help="Period: 30s, 15m, 6h, 1d.")] = "",
    at: Annotated[str, typer.Option("--at", help="Once: 2026-12-24T18:00")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Time zone: Europe/Berlin.")] = "UTC",
    not_on: Annotated[
        list[str] | None,
        typer.Option("--not-on", help="2026-12-24, 2026-12-24/2027-01-02, sat,sun, mon-fri 08:00-18:00. Repeat it."),
    ] = None,
    missed: Annotated[str, typer.Option("--missed", help="What was missed while no worker was there: skip, run.")] = (
        "skip"
    ),
    overlap: Annotated[str, typer.Option("--overlap", help="While the run before goes: skip, queue, allow.")] = "skip",
    become: Annotated[bool, typer.Option("--become", help="With --command: become another user.")] = False,
    credential: Annotated[str, typer.Option("--credential", help="With --command: instead of the attached.")] = "",
    timeout: Annotated[str, typer.Option("--timeout", help="With --command: time for each host.")] = "",
    batch: Annotated[str, typer.Option("--batch", help="With --command: sizes of batches.")] = "",
    max_fail: Annotated[str, typer.Option("--max-fail", help="With --command: stop when more failed.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "",
    disabled: Annotated[bool, typer.Option("--disabled", help="Switched off until it is enabled.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a schedule, or change the one of this name. It runs with your rights.

    Example: qd schedules create nightly --template disk-cleanup --set days=30 -q type:host --cron '0 3 * * *'
    """
    ways = {"becomes": become, "credential": credential, "batch": batch, "max_fail": max_fail}
    options: dict[str, Any] = {option: value for option, value in ways.items() if value}
    if timeout:
        options["timeout_seconds"] = _seconds(timeout)
    given = {
        "template": template, "values": values_of(answers), "work": {"command": command} if command else {},
        "options": options, "query": query, "cron": cron, "every": every, "at": at, "time_zone": zone,
        "not_on": not_on or [], "missed": missed, "overlap": overlap, "reason": reason,
    }  # fmt: skip
    body = {"plan": {field: value for field, value in given.items() if value}, "is_enabled": not disabled}
    with Client() as client:
        saved = client.send("PUT", f"/schedules/{name}", body)
    write_rows([saved], output, _COLUMNS)
    for time in saved["upcoming"] if output is Format.TABLE else ():
        note(f"due {time}")


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError:
        raise BadInput(f'"{text}" is no time', hint="--timeout 30s") from None


@app.command()
def enable(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Switch a schedule on: it is due from now on."""
    _switch(name, "enable", output)


@app.command()
def disable(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Switch a schedule off; runs that have begun go on."""
    _switch(name, "disable", output)


def _switch(name: str, what: str, output: Format) -> None:
    with Client() as client:
        write_rows([client.send("POST", f"/schedules/{name}/{what}")], output, _COLUMNS)


@app.command()
def run(
    name: NameArgument,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the run.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Start now what a schedule prepares, with your rights, and watch it."""
    with Client() as client:
        started = client.send("POST", f"/schedules/{name}/run")
        if detach:
            write_rows([started], output, ("id", "state", "title"))
        else:
            watch(client, started, output)


@app.command()
def delete(name: NameArgument) -> None:
    """Delete a schedule with its history; its runs stay."""
    with Client() as client:
        client.send("DELETE", f"/schedules/{name}")
