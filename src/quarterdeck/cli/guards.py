"""qd guards: rules that ask for a reason or a second person before a run, or refuse it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_record, write_rows
from quarterdeck.core.errors import BadInput, NotFound

app = typer.Typer(no_args_is_help=True, help="Rules that ask for a reason or a second person before a run.")
_COLUMNS = ("id", "name", "is_enabled", "asks", "applies", "query", "changed_by")
Name = Annotated[str, typer.Argument(help="The rule's name.", show_default=False)]


class Asks(StrEnum):
    REASON = "reason"
    APPROVAL = "approval"
    REFUSAL = "refusal"


class Applies(StrEnum):
    ALWAYS = "always"
    INSIDE = "inside"
    OUTSIDE = "outside"


@app.command("list")
def list_(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the rules. Example: qd guards list"""
    with Client() as client:
        write_rows(client.get("/guards")["items"], output, columns_of(columns, _COLUMNS))


@app.command()
def show(name: Name, output: OutputOption = Format.TABLE) -> None:
    """Show a rule whole."""
    with Client() as client:
        write_record(_found(client, name), output)


@app.command("set")
def set_(
    name: Name,
    asks: Annotated[Asks, typer.Option("--asks", help="What it asks for.")] = Asks.REASON,
    command: Annotated[
        list[str] | None,
        typer.Option("--command", help="A pattern of calls: 'rm -r /*'. As often as there are patterns."),
    ] = None,
    commands_file: Annotated[Path | None, typer.Option("--commands", help="A file of patterns, one on a line.")] = None,
    runner: Annotated[list[str] | None, typer.Option("--runner", help="Only for this runner: docker")] = None,
    query: Annotated[str, typer.Option("-q", "--query", help="Only when one of these hosts is among them.")] = "",
    applies: Annotated[
        Applies, typer.Option("--applies", help="When: always, or inside or outside of the windows.")
    ] = Applies.ALWAYS,
    window: Annotated[
        list[str] | None, typer.Option("--window", help="A window of the week: 'Mon-Fri 22:00-06:00'.")
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="The time zone of the windows: Asia/Shanghai")] = "UTC",
    description: Annotated[str, typer.Option("--description", help="Why; who meets the rule reads it.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Keep the rule, but ask for nothing.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Add a rule, or make the one of this name what the options say.

    Example: qd guards set 'Production by day' -q env:prod --applies outside --window 'Daily 22:00-06:00'
    """
    body = {
        "name": name, "asks": asks.value, "commands": _commands(command, commands_file), "runners": runner or [],
        "query": query, "applies": applies.value, "windows": "\n".join(window or []), "zone": zone,
        "description": description, "is_enabled": not off,
    }  # fmt: skip
    with Client() as client:
        known = next((one for one in client.get("/guards")["items"] if one["name"] == name), None)
        found = client.send("PUT", f"/guards/{known['id']}", body) if known else client.send("POST", "/guards", body)
        write_record(found, output)


def _commands(given: list[str] | None, path: Path | None) -> str:
    if path is None:
        return "\n".join(given or [])
    if given:
        raise BadInput("give patterns or a file of them", hint="--command 'rm -r /*'")
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", hint="--commands FILE") from None


@app.command("try")
def try_(
    command: Annotated[str, typer.Argument(help="What would be run.")],
    query: Annotated[str, typer.Option("-q", "--query", help="On which hosts.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Tell which rules a command would meet now; nothing is run. Example: qd guards try 'rm -rf /srv' -q env:prod"""
    with Client() as client:
        met = client.send("POST", "/guards/try", {"runner": "ssh", "work": {"command": command}, "query": query})
    write_rows(met["items"], output, ("rule", "asks", "why"))


@app.command()
def delete(name: Name) -> None:
    """Delete a rule."""
    with Client() as client:
        client.send("DELETE", f"/guards/{_found(client, name)['id']}")
    note(f"the rule {name} is deleted")


def _found(client: Client, name: str) -> dict[str, Any]:
    for one in client.get("/guards")["items"]:
        if one["name"] == name:
            return dict(one)
    raise NotFound(f'there is no guard rule "{name}"', hint="qd guards list")
