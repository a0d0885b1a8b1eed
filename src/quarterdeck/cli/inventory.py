"""quarterdeck inventory: Ansible's dynamic inventory, from a data directory or from a running instance."""

from __future__ import annotations

import os
from typing import Annotated, Any

import orjson
import typer

from quarterdeck.cli.instance import DataOption
from quarterdeck.core.errors import BadInput

app = typer.Typer(invoke_without_command=True, help="Ansible's dynamic inventory.")


@app.callback()
def inventory(
    list_: Annotated[bool, typer.Option("--list", help="All groups and hosts with their variables.")] = False,
    host: Annotated[str, typer.Option("--host", help="The variables of one host.")] = "",
    query: Annotated[
        str, typer.Option("--query", "-q", envvar="QD_QUERY", help="Only hosts that a query selects.")
    ] = "",
    pretty: Annotated[bool, typer.Option("--pretty", help="Indent the JSON.")] = False,
    data: DataOption = None,
) -> None:
    """Print the inventory as JSON for `ansible -i`.

    With QD_URL and QD_TOKEN set it asks that instance, with the rights of the token; else it reads the data directory.

    Example: quarterdeck inventory --list
    """
    if list_ == bool(host):
        raise BadInput("nothing to show", hint="add --list, or --host NAME")
    # A data directory that is named on the command line is meant, whatever the environment says.
    remote = os.environ.get("QD_URL") and data is None
    found = _from_instance(query, host) if remote else _from_data(data, query, host)
    options = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if pretty else 0)
    typer.get_binary_stream("stdout").write(orjson.dumps(found, option=options))


def _from_instance(query: str, host: str) -> Any:
    from quarterdeck.cli.client import Client

    with Client() as client:
        return client.get("/ansible/inventory", {"q": query, "host": host})


def _from_data(data: Any, query: str, host: str) -> Any:
    from quarterdeck.cli import instance

    instance.open(data)
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.exchange.dynamic import dynamic_inventory, host_variables

    found = dynamic_inventory(SYSTEM, query)
    return host_variables(found, host) if host else found
