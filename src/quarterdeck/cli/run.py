"""qd run: a command or a script on the hosts of a query, with nothing installed there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import BadInput, NotFound

app = typer.Typer()


@app.command()
@ways_of
def run(
    ways: Ways,
    command: Annotated[str, typer.Argument(help="Command for the hosts' shell.", show_default=False)] = "",
    script: Annotated[Path | None, typer.Option("--script", help="File with a script instead.")] = None,
    interpreter: Annotated[
        str, typer.Option("--interpreter", help="What runs the script; by default its #! line.")
    ] = "",
    arguments: Annotated[
        list[str] | None, typer.Option("--arg", help="Argument of the script; may be repeated.")
    ] = None,
    environment: Annotated[list[str] | None, typer.Option("--env", help="NAME=value; may be repeated.")] = None,
    directory: Annotated[str, typer.Option("--directory", help="Directory to run in.")] = "",
    local: Annotated[
        bool, typer.Option("--local", help="On the worker, once for each host; $QD_HOST_ADDRESS is the host's.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a command or a script on the hosts of a query, and watch it.

    Exit codes: 0 all hosts are ok, 2 some failed, 3 some could not be reached, 4 it was cancelled or stopped.

    Example: qd run 'systemctl is-active nginx' -q 'type:host env:lab role:web' --batch 10% --max-fail 5%
    """
    work: dict[str, object] = {"command": command} if command else {}
    if script is not None:
        work |= {"script": _content(script), "interpreter": interpreter, "arguments": list(arguments or ())}
    elif interpreter or arguments:
        raise BadInput("--interpreter and --arg are for a script", hint="--script FILE")
    if environment:
        work["environment"] = dict(map(_pair, environment))
    if directory:
        work["directory"] = directory
    with Client() as client:
        work_off(client, "local" if local else "ssh", work, ways, output)


def _content(path: Path) -> str:
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text in UTF-8", hint="push it with `qd push`, and run it") from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f'"{text}" is not NAME=value', hint="--env LANG=C")
    return name, value
