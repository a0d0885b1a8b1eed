"""quarterdeck restore: an instance from a backup file, in a new data directory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from quarterdeck.cli import instance
from quarterdeck.core.errors import NotFound

app = typer.Typer()


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `quarterdeck backup` made.", show_default=False)],
    data: instance.DataOption = None,
) -> None:
    """Make an instance from FILE in a data directory that does not exist yet.

    Nothing is put in place before the whole file was checked. `quarterdeck up --data DIR` then starts it.
    """
    source = file.expanduser().absolute()
    if not source.is_file():
        raise NotFound(f"there is no file {source}", hint="name a file that `quarterdeck backup` made")
    target = (data or Path(os.environ.get("QD_DATA") or instance.choose(None))).expanduser().absolute()
    _restore(source, target)
    typer.echo(f"restored to {target}; start it with: quarterdeck up --data {target}")


def _restore(source: Path, target: Path) -> None:
    """Unpack beside the target, so that a refused file leaves nothing in it, then move and load."""
    from quarterdeck.conf.backup import archive, target_directory

    target_directory.check_empty(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    made = not target.exists()
    try:
        manifest = archive.unpack(source, staging)
        target_directory.fill(staging, target)
        instance.prepare_directory(target)
        instance.open(target)
        from quarterdeck.conf.backup.instance import place

        place(staging, target, manifest)
    except BaseException:
        target_directory.empty(target, remove=made)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
