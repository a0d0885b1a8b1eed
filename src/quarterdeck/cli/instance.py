"""Opening an instance, which is a data directory, for the commands that work on it directly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.core.errors import NotFound, OpsError

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="QD_DATA", help="Data directory of the instance.", show_default=False),
]


class NotWritable(OpsError):
    """The data directory cannot be used. The exit code is BSD's EX_CANTCREAT."""

    code = "not_writable"
    exit_code = 73


def choose(data: Path | None) -> Path:
    """Return the data directory in force as an absolute path, and make it the one that settings are read from."""
    if data is not None:
        os.environ["QD_DATA"] = str(data.expanduser().absolute())
    from quarterdeck.conf.options import load

    directory = Path(load()["data"].value).expanduser().absolute()
    os.environ["QD_DATA"] = str(directory)
    return directory


def prepare_directory(directory: Path) -> None:
    """Create the data directory with its parts, and prove that it can be written. Raises NotWritable."""
    try:
        for part in (directory, *(directory / name for name in ("run", "log", "secrets", "uploads"))):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = directory / "run" / f".probe-{os.getpid()}"
        # One page: a full disk refuses it, an empty file would still be made.
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise NotWritable(
            f"the data directory {directory} cannot be written: {error.strerror or error}",
            hint="free space or change its owner, or choose another with --data DIR",
        ) from error


def open_instance(data: Path | None = None, *, must_exist: bool = True) -> Path:
    """Set Django up on the instance in `data` (default: QD_DATA, then the user's data folder); return its directory.

    Raises NotFound when there is no instance and `must_exist`, BadInput when a setting is wrong.
    """
    directory = choose(data)
    if must_exist and not (directory / "secrets").is_dir():
        raise NotFound(
            f"no Quarterdeck instance in {directory}",
            hint="`quarterdeck up` makes one, or name another with --data DIR",
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
    import django

    django.setup()
    return directory


open = open_instance  # noqa: A001 - read at the call: instance.open(data)
