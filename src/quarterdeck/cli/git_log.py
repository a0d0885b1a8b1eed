"""The commits of a repository on this machine, as git tells them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from quarterdeck.core.errors import BadInput

_SECONDS = 60
_RECORD, _FIELD, _FILES = "\x1e", "\x1f", "\x1d"
_FORMAT = "%x1e%H%x1f%an%x1f%ae%x1f%aI%x1f%B%x1d"


def commits(directory: Path, *, since: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest commits with their files, those behind `since` where it is given, as the API takes them.

    Raises BadInput with what git says.
    """
    reach = f"{since}..HEAD" if since else "HEAD"
    command = [
        *("git", "-c", "core.quotepath=false", "-C", str(directory), "log", f"--max-count={limit}", "--name-only"),
        *(f"--format={_FORMAT}", "--end-of-options", reach, "--"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"git cannot be run: {error}", hint="is it installed?") from error
    if done.returncode:
        raise BadInput(f"git: {done.stderr.strip()[:500]}", hint="name a repository with --path, a commit with --since")
    name = directory.resolve().name
    return [{**_told(record), "repository": name} for record in done.stdout.split(_RECORD)[1:]]


def _told(record: str) -> dict[str, Any]:
    head, _sign, files = record.partition(_FILES)
    sha, author, email, at, message = head.split(_FIELD, 4)
    return {
        "sha": sha,
        "author_name": author[:255],
        "author_email": email[:255],
        "at": at,
        "message": message.strip()[:1000],
        "files": [line for line in files.splitlines() if line],
    }
