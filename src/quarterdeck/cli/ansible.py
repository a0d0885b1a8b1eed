"""qd ansible: one Ansible module on the hosts of a query."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.playbook import DiffOption, ForksOption, VariablesOption, options
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import BadInput

app = typer.Typer()


@app.command()
@ways_of
def ansible(
    ways: Ways,
    module: Annotated[str, typer.Argument(help="Module: ansible.builtin.service", show_default=False)],
    arguments: Annotated[
        str, typer.Argument(help="Its arguments: 'name=nginx state=started', or a map in JSON.", show_default=False)
    ] = "",
    variables: VariablesOption = None,
    diff: DiffOption = False,
    forks: ForksOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run one Ansible module on the hosts of a query, and watch it. Exit codes are those of `qd run`.

    Example: qd ansible service 'name=nginx state=restarted' -q 'env:lab role:web' --become --check
    """
    work: dict[str, Any] = {"module": module, "arguments": _arguments(arguments)}
    work |= options(variables, diff=diff, forks=forks)
    with Client() as client:
        work_off(client, "ansible", work, ways, output)


def _arguments(text: str) -> str | dict[str, Any]:
    if not text.lstrip().startswith("{") or text.lstrip().startswith("{{"):
        return text
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise BadInput(f"the arguments are no JSON: {error}", hint='{"name": "nginx"}') from error
    return found
