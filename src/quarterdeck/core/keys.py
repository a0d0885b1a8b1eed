"""Keys that an instance makes for itself, kept in its data directory outside the database (files of mode 0600)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def instance_key(data: Path, name: str) -> str:
    """Return the key `name` of the instance in `data`, made at the first call: 64 hexadecimal digits."""
    path = data / "secrets" / name
    make_key_file(path)
    return path.read_text().strip()


def make_key_file(path: Path) -> None:
    """Make a file with a fresh key, unless it is there: 64 hexadecimal digits, for its owner alone.

    Two processes that ask at once get the same key: the file appears whole, by a link that only one can make.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    _write(fresh, secrets.token_hex(32))
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def replace_key_file(path: Path, text: str) -> None:
    """Put `text` in the place of a key file's content, durable before it counts: a crash leaves one or the other."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    _write(fresh, text)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
