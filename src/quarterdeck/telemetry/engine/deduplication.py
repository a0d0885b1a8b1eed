"""Heals the engine's memory of what was inserted after a kill.

For tables with `non_replicated_deduplication_window` the engine writes a block's token to `deduplication_logs` before
the block's part gets its name. Killed in between, it would take the client's second try for a copy of a part that was
never there: acknowledged, and lost. So tokens of parts that are not there are dropped before the engine opens its
directory.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_ADDED = "1"
# A part is PARTITION_MINBLOCK_MAXBLOCK_LEVEL, with a mutation's number at the end if there was one.
_PART = re.compile(r"(?P<partition>.+?)_(?P<low>\d+)_(?P<high>\d+)_\d+(?:_\d+)?")


def forget_uncommitted(telemetry: Path) -> int:
    """Drop the tokens of parts that do not exist, in every table below `telemetry`; return how many."""
    dropped = 0
    for path in telemetry.glob("store/*/*/deduplication_logs/deduplication_log_*.txt"):
        dropped += _clean(path)
    if dropped:
        log.warning("forgot the tokens of %d inserts that a kill had cut off; their senders try again", dropped)
    return dropped


def _clean(path: Path) -> int:
    covered = list(_blocks(path.parent.parent))
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if _is_told_truly(line, covered)]
    if len(kept) != len(lines):
        _replace(path, "".join(kept))
    return len(lines) - len(kept)


def _blocks(table: Path) -> Iterator[tuple[str, int, int]]:
    """Yield `(partition, first block, last block)` of every part of the table."""
    for entry in table.iterdir():
        found = _PART.fullmatch(entry.name)
        if found:
            yield found["partition"], int(found["low"]), int(found["high"])


def _is_told_truly(line: str, covered: list[tuple[str, int, int]]) -> bool:
    """Whether a line (operation, part, token, parted by tabs) is whole and, if it adds, its block is in a part."""
    fields = line.rstrip("\n").split("\t")
    found = _PART.fullmatch(fields[1]) if len(fields) == 3 and line.endswith("\n") else None
    if found is None:
        return False
    block = int(found["low"])
    return fields[0] != _ADDED or any(
        found["partition"] == partition and low <= block <= high for partition, low, high in covered
    )


def _replace(path: Path, text: str) -> None:
    """Write the file anew, whole or not at all."""
    fresh = path.with_suffix(".fresh")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
