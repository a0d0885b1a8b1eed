"""Frames that the engine cannot read: kept as they came, with the reason, for a person to look at.

DATA/spool/dead/0000000000000042-0007.json     {"protocol", "stream", "key", "received_ms", "records", "reason"}
DATA/spool/dead/0000000000000042-0007.frame    the bytes
"""

from __future__ import annotations

from pathlib import Path

import orjson

from quarterdeck.intake.spool.frames import Entry

# Beyond, the oldest are deleted: dead letters are evidence, not storage.
DEAD_MAX = 1000


def bury(directory: Path, name: str, entry: Entry, reason: str) -> None:
    """Keep `entry` under `name`; buried twice after a crash, it is there once."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / f"{name}.frame").write_bytes(entry.frame.content)
    facts = {
        "protocol": entry.protocol,
        "stream": entry.frame.stream,
        "key": entry.key,
        "received_ms": entry.received_ms,
        "records": entry.frame.records,
        "reason": reason,
    }
    (directory / f"{name}.json").write_bytes(orjson.dumps(facts))
    for old in sorted(directory.glob("*.json"))[:-DEAD_MAX]:
        old.with_suffix(".frame").unlink(missing_ok=True)
        old.unlink(missing_ok=True)
