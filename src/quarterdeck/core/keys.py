"""Keys that an instance makes for itself, kept in its data directory outside the database (files of mode 0600)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def instance_key(data: Path, name: str) -> str:
    """Return the key `name` of the instance in `data`, made at the first call: 64 hexadecimal digits.

    Two processes that ask at once get the same key: the file appears whole, by a link that only one can make.
    """
    path = data / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
