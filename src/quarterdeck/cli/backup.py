"""quarterdeck backup: records, telemetry and keys of an instance in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli import instance

app = typer.Typer()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist.", show_default=False)],
    data: instance.DataOption = None,
) -> None:
    """Write records, telemetry, keys and settings to FILE, while the instance runs or not.

    The file holds the instance's secrets: only you can read it, keep it so.
    """
    target = file.expanduser().absolute()
    directory = instance.open(data)
    from quarterdeck.conf.backup.instance import back_up

    manifest = back_up(directory, target)
    size = target.stat().st_size / 1e6
    typer.echo(f"{target}: {len(manifest['files'])} files, {size:.1f} MB")
