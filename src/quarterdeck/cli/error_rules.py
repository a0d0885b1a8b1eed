"""qd error-rules: which groups of error events become one issue."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_rows

app = typer.Typer(no_args_is_help=True, help="Rules by which groups of error events become one issue.")
_COLUMNS = ("position", "name", "query", "fingerprint", "enabled")
Name = Annotated[str, typer.Argument(help="The rule's name.")]


@app.command("list")
def list_(output: OutputOption = Format.TABLE) -> None:
    """List the rules in the order in which they are asked. Example: qd error-rules list"""
    with Client() as client:
        write_rows(client.get("/errors/rules")["items"], output, _COLUMNS)


@app.command("set")
def set_(
    name: Name,
    query: Annotated[str, typer.Argument(help="Which events: type:TimeoutError stack.module:shop.*")],
    fingerprint: Annotated[str, typer.Argument(help="Parts with commas between: timeout, {{ service }}")],
    position: Annotated[int, typer.Option("--position", help="Rules are asked by rising position.")] = 0,
    off: Annotated[bool, typer.Option("--off", help="Keep the rule, but do not obey it.")] = False,
) -> None:
    """Make or change a rule. Example: qd error-rules set timeouts type:TimeoutError 'timeout, {{ service }}'"""
    body = {"query": query, "fingerprint": fingerprint, "position": position, "enabled": not off}
    with Client() as client:
        client.send("PUT", f"/errors/rules/{name}", body)
    note(f"{name}: groups that come from now on obey it")


@app.command()
def delete(name: Name) -> None:
    """Delete a rule; issues stay as they are. Example: qd error-rules delete timeouts"""
    with Client() as client:
        client.send("DELETE", f"/errors/rules/{name}")
    note(f"{name} is deleted")
