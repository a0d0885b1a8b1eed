"""Frames that the engine cannot read: kept as they came, with the reason, for a person to look at.

DATA/spool/dead/0000000000000042-5ac3e1f0-000007.json   {"protocol", "stream", "key", "received_ms", ...}
DATA/spool/dead/0000000000000042-5ac3e1f0-000007.frame  the bytes
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.numbers import sync_directory
from quarterdeck.telemetry.receiving import Frame

log = logging.getLogger(__name__)
# Beyond, the oldest are deleted: dead letters are evidence, not storage.
DEAD_MAX = 1000
_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}-[0-9]{6,9}")


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: `entry` is as it came in, `reason` what the engine said; `size` is the content's, in bytes."""

    name: str
    entry: Entry
    reason: str
    size: int


def bury(directory: Path, name: str, entry: Entry, reason: str) -> None:
    """Keep `entry` under `name`; buried twice after a crash, it is there once."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(directory / f"{name}.frame", entry.frame.content)
    facts = {
        "protocol": entry.protocol,
        "stream": entry.frame.stream,
        "key": entry.key,
        "received_ms": entry.received_ms,
        "records": entry.frame.records,
        "reason": reason,
    }
    _write(directory / f"{name}.json", orjson.dumps(facts))
    sync_directory(directory)
    for old in sorted(directory.glob("*.json"))[:-DEAD_MAX]:
        discard(directory, old.stem)


def letters(directory: Path) -> Iterator[Letter]:
    """Yield all letters without their contents, the newest first; what cannot be read is left out and logged."""
    for path in sorted(directory.glob("*.json"), reverse=True):
        found = _letter(directory, path.stem, with_content=False)
        if found is not None:
            yield found


def letter(directory: Path, name: str) -> Letter | None:
    """Return a letter with its content; None when there is none of this name."""
    return _letter(directory, name, with_content=True) if _NAME.fullmatch(name) else None


def discard(directory: Path, name: str) -> None:
    """Delete a letter; the facts go last, so that half of one is still seen."""
    (directory / f"{name}.frame").unlink(missing_ok=True)
    (directory / f"{name}.json").unlink(missing_ok=True)


def _letter(directory: Path, name: str, *, with_content: bool) -> Letter | None:
    frame = directory / f"{name}.frame"
    try:
        facts = orjson.loads((directory / f"{name}.json").read_bytes())
        size = frame.stat().st_size
        content = frame.read_bytes() if with_content else b""
        entry = Entry(
            str(facts["protocol"]),
            int(facts["key"]),
            int(facts["received_ms"]),
            Frame(str(facts["stream"]), content, int(facts["records"])),
        )
        return Letter(name, entry, str(facts["reason"]), size)
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        log.warning("the dead letter %s cannot be read: %s", name, type(error).__name__)
        return None


def _write(path: Path, content: bytes) -> None:
    """The segment is deleted next: what is buried of it has to be on the disk before."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
