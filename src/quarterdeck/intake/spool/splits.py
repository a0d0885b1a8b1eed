"""Inserts that had to be halved: remembered on disk, so that a segment which is loaded again is halved in the same way.

The halves have tokens of their own. Were the whole tried again after one of them is stored, and went through this time,
its records would be there twice.

DATA/spool/0000000000000041.split    a token in each line, with a semicolon at its end
"""

from __future__ import annotations

import os
from pathlib import Path


class Splits:
    """The tokens of one segment that were halved."""

    def __init__(self, segment: Path) -> None:
        self._file = segment.with_suffix(".split")
        try:
            lines = self._file.read_text(errors="replace").split("\n")
        except FileNotFoundError:
            lines = []
        # A line that a crash cut off has no end mark.
        self._tokens = {line[:-1] for line in lines if line.endswith(";")}

    def __contains__(self, token: str) -> bool:
        return token in self._tokens

    def add(self, token: str) -> None:
        """Remember a token, durably, before its halves are loaded. Raises OSError."""
        with self._file.open("a") as file:
            file.write(f"\n{token};\n")
            file.flush()
            os.fsync(file.fileno())
        self._tokens.add(token)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def forget_orphans(directory: Path) -> None:
    """Delete what is noted of segments that are gone: a kill came between the two."""
    for path in directory.glob("*.split"):
        if not path.with_suffix(".sealed").exists():
            path.unlink()
