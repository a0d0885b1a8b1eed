"""qd push: files to the hosts of a query, only where they differ."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, safe
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import BadInput, NotFound, Unavailable

app = typer.Typer()


@app.command()
@ways_of
def push(
    ways: Ways,
    files: Annotated[list[Path], typer.Argument(help="Files, or directories with all below.", show_default=False)],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help='Path on the hosts; with a "/" at its end a directory.')
    ],
    mode: Annotated[str, typer.Option("--mode", help="Octal: 0644. As it is on the host when not said.")] = "",
    keep_modes: Annotated[bool, typer.Option("--keep-modes", help="The modes that the files have here.")] = False,
    owner: Annotated[str, typer.Option("--owner", help="Account that they belong to, there.")] = "",
    group: Annotated[str, typer.Option("--group", help="Its group.")] = "",
    template: Annotated[
        bool, typer.Option("--template", help="They are Jinja2 templates: {{ name }} and each host's attributes.")
    ] = False,
    parents: Annotated[bool, typer.Option("--parents", help="Make directories that are not there.")] = False,
    backup: Annotated[bool, typer.Option("--backup", help="Keep what is replaced, beside it.")] = False,
    no_diff: Annotated[bool, typer.Option("--no-diff", help="With --check: do not show what differs.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Push files to hosts: where they differ they are replaced in one step, else nothing is done.

    Exit codes are those of `qd run`. With --check it only tells what would change, texts with their differences.

    Example: qd push nginx.conf /etc/nginx/ -q role:web --become --mode 0644 --owner root --check
    """
    if mode and keep_modes:
        raise BadInput("--mode and --keep-modes contradict each other", hint="name one of them")
    found = [pair for path in files for pair in _found(path)]
    work: dict[str, Any] = {"path": destination, "mode": mode, "owner": owner, "group": group}
    work |= {"is_template": template, "keeps_backup": backup, "shows_diff": not no_diff}
    work["makes_directories"] = parents or any(path.is_dir() for path in files)
    if len(found) > 1 or any("/" in name for name, _path in found):
        work["path"] = f"{destination.rstrip('/')}/"
    with Client() as client:
        work["files"] = [_stored(client, name, path, keep_modes=keep_modes) for name, path in found]
        work_off(client, "push", work, ways, output)


def _found(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield `(name, path)` of a file, or of all below a directory, whose own name is the first part of theirs.

    A link that is named is followed, links below are left out, as `qd pull` does it on the hosts.
    """
    if path.is_file():
        yield _named(path), path
    elif not path.is_dir():
        raise NotFound(f"{safe(str(path))} is no file and no directory")
    else:
        top = _named(path)
        for directory, below, names in os.walk(path, onerror=_refuse):
            below.sort()
            for name in sorted(names):
                file = Path(directory, name)
                if file.is_symlink() or not file.is_file():
                    note(f"left out, no plain file: {safe(str(file))}")
                else:
                    yield f"{top}/{file.relative_to(path).as_posix()}", file


def _named(path: Path) -> str:
    return path.name if path.name not in ("", "..") else path.resolve().name


def _refuse(error: OSError) -> None:
    raise error


def _stored(client: Client, name: str, path: Path, *, keep_modes: bool) -> dict[str, str]:
    """Upload a file, unless its content is there already; return how the work names it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            client.get(f"/files/{sha256}")
        except NotFound:
            if client.upload("/files", "file", file, {})["sha256"] != sha256:
                raise Unavailable(f"{safe(str(path))} changed while it was sent", hint="push it again") from None
        found = {"sha256": sha256, "name": name}
        if keep_modes:
            found["mode"] = f"{stat.S_IMODE(os.fstat(file.fileno()).st_mode):04o}"
    return found
