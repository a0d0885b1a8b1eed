"""qd pull: files from the hosts of a query into a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.fetching import fetch_all
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import NotFound

app = typer.Typer()


@app.command()
@ways_of
def pull(
    ways: Ways,
    path: Annotated[
        str, typer.Argument(help="File, directory or pattern on the hosts: '/var/log/*.log'", show_default=False)
    ],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where they go, as DIR/HOST/NAME.", show_default=False)
    ],
    max_mb: Annotated[int, typer.Option("--max-mb", min=1, help="From each host at most so much.")] = 100,
    max_files: Annotated[int, typer.Option("--max-files", min=1, max=1000, help="And so many files.")] = 1000,
    output: OutputOption = Format.TABLE,
) -> None:
    """Pull files from hosts. They are kept with the run, too, for `qd runs download`.

    Exit codes are those of `qd run`. A host over a limit fails, and nothing of it is kept. Links are left out.

    Example: qd pull '/var/log/nginx/*.log' ./logs -q role:web --become
    """
    if directory.exists() and not directory.is_dir():
        raise NotFound(f"{directory} is no directory", hint="name another one")
    with Client() as client:

        def fetch(run: Mapping[str, Any]) -> None:
            if run["counts"].get("ok"):
                fetch_all(client, run["id"], directory)

        work_off(client, "pull", {"path": path, "max_mb": max_mb, "max_files": max_files}, ways, output, fetch)
