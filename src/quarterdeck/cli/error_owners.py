"""qd error-owners: whose issues are, by path, module, address or tag."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Rules that say whose errors are, by path, module, address or tag.")
Project = Annotated[int, typer.Argument(help="The number at the end of the DSN.")]


@app.command("list")
def list_(output: OutputOption = Format.TABLE) -> None:
    """List the rules of every project. Example: qd error-owners list -o yaml"""
    with Client() as client:
        write_rows(client.get("/errors/owners")["items"], output, ("project", "assigns", "text"))


@app.command("set")
def set_(
    project: Project,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Lines as: path:src/pay/* ann #payments")],
    assign: Annotated[bool, typer.Option(help="Assign new issues to their owner.")] = True,
) -> None:
    """Write the rules of a project; an empty file deletes them. Example: qd error-owners set 42 OWNERS"""
    body = {"text": file.read_text(encoding="utf-8"), "assigns": assign}
    with Client() as client:
        client.send("PUT", f"/errors/owners/{project}", body)
    note(f"project {project}: issues that are new from now on obey the rules")


@app.command("try")
def try_(
    project: Project,
    event: Annotated[list[str], typer.Argument(help="What an event has: path:src/pay/refund.py tags.region:eu")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Tell which rule fits. Example: qd error-owners try 42 path:src/pay/refund.py"""
    with Client() as client:
        write_record(client.get(f"/errors/owners/{project}/try", {"q": " ".join(event)}), output)
