"""qd runs: what was done on hosts, and what is being done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.fetching import fetch_all
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
from quarterdeck.cli.running import COLUMNS, watch

app = typer.Typer(no_args_is_help=True, help="Runs: work on hosts.")
_COLUMNS = ("id", "state", "runner", "title", "counts", "actor", "created_at")
RunArgument = Annotated[int, typer.Argument(help="Number of the run.", show_default=False)]
StatusOption = Annotated[str, typer.Option("--status", help="Only hosts with it: failed,unreachable")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option("--state", help="Only those in it: running,paused")] = "",
    runner: Annotated[str, typer.Option("--runner", help="Only those of a runner: ssh")] = "",
    template: Annotated[str, typer.Option("--template", help="Only those of a template.")] = "",
    text: Annotated[str, typer.Option("--title", help="Part of the title.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List runs, newest first."""
    with Client() as client:
        rows = client.rows("/runs", {"state": state, "runner": runner, "template": template, "q": text}, at_most=limit)
        write_rows(rows, output, columns_of(columns, _COLUMNS))


@app.command()
def show(
    run: RunArgument,
    status: StatusOption = "",
    with_output: Annotated[bool, typer.Option("--with-output", help="With what the hosts printed.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a run and how it went on each host."""
    with Client() as client:
        found = client.get(f"/runs/{run}")
        hosts = client.rows(f"/runs/{run}/hosts", {"status": status, "with_output": with_output})
        if output is Format.TABLE:
            counts = ", ".join(f"{number} {name}" for name, number in found["counts"].items())
            note(f"run {run} {found['state']}: {safe(found['title'])} ({counts})")
            write_rows(hosts, output, (*COLUMNS, "stdout", "stderr") if with_output else COLUMNS)
        elif output is Format.CSV:
            write_rows(hosts, output, (*COLUMNS, "stdout", "stderr") if with_output else COLUMNS)
        else:
            write_record(found | {"hosts": list(hosts)}, output)


@app.command("watch")
def watch_(run: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Follow a run to its end; the exit code is that of `qd run`."""
    with Client() as client:
        watch(client, client.get(f"/runs/{run}"), output)


@app.command()
def output(
    run: RunArgument,
    host: Annotated[int, typer.Argument(help="Id of the host's part, from `qd runs show -o json`.")],
    stream: Annotated[str, typer.Option("--stream", help="stdout or stderr; both when not said.")] = "",
) -> None:
    """Print all that a host printed."""
    with Client() as client:
        for piece in client.rows(f"/runs/{run}/hosts/{host}/output", {"stream": stream}):
            write(piece["text"])


@app.command()
def download(
    run: RunArgument,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where they go, as DIR/HOST/NAME.")],
) -> None:
    """Download the files that a run pulled from its hosts."""
    with Client() as client:
        fetch_all(client, run, directory)


@app.command()
def groups(run: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Fold the hosts that ended alike and printed the same, the rarest first."""
    with Client() as client:
        rows = client.get(f"/runs/{run}/groups")["items"]
        write_rows(rows, output, ("count", "status", "exit_code", "name", "stdout", "stderr", "error"))


@app.command()
def cancel(run: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """End a run, on the hosts too."""
    _do("cancel", run, output)


@app.command()
def pause(run: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Begin on no further host until it is resumed."""
    _do("pause", run, output)


@app.command()
def resume(run: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Go on with a run that is paused."""
    _do("resume", run, output)


@app.command()
def retry(
    run: RunArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the run.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Do the same again where it was not done, and watch it."""
    with Client() as client:
        again = client.send("POST", f"/runs/{run}/retry", {"reason": reason})
        if detach:
            write_rows([again], output, _COLUMNS)
        else:
            watch(client, again, output)


Decision = Annotated[str, typer.Option("--decision", help="What you say to it, for the audit log.")]


@app.command()
def approve(run: RunArgument, decision: Decision = "", output: OutputOption = Format.TABLE) -> None:
    """Let a run begin that waits for a second person. Example: qd runs approve 17 --decision 'agreed in the change'"""
    _do("approve", run, output, {"decision": decision})


@app.command()
def refuse(run: RunArgument, decision: Decision = "", output: OutputOption = Format.TABLE) -> None:
    """End a run that waits for a second person: it begins nowhere."""
    _do("refuse", run, output, {"decision": decision})


def _do(what: str, run: int, output: Format, body: dict[str, str] | None = None) -> None:
    with Client() as client:
        found = client.send("POST", f"/runs/{run}/{what}", body)
        write_rows([found], output, _COLUMNS)
