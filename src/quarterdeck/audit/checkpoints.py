"""Signed statements of where the chain stands: they show a cut-off end, and a rewrite by the holder of its key."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from django.conf import settings
from django.db import transaction

from quarterdeck.audit import chain
from quarterdeck.audit.models import ChainHead, Checkpoint


@dataclass(frozen=True, slots=True)
class Statement:
    """Event `seq` has `hash`, said at `at_us` (microseconds since 1970) and signed with Ed25519."""

    seq: int
    hash: str
    at_us: int
    public_key: str
    signature: str = ""

    def body(self) -> bytes:
        return chain.canonical({"seq": self.seq, "hash": self.hash, "at_us": self.at_us})

    def is_signed(self) -> bool:
        return chain.is_signed(self.public_key, self.signature, self.body())


def folder() -> Path:
    """Return the folder for what is kept of the log outside the database."""
    path: Path = settings.DATA / "audit"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def archive_folder() -> Path:
    path = folder() / "archive"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def outside() -> Iterator[Statement]:
    """Yield the checkpoints of the file beside the database. A line that is not one is a statement nobody signed."""
    path = folder() / "checkpoints.jsonl"
    if not path.is_file():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            yield Statement(**orjson.loads(line))
        except (orjson.JSONDecodeError, TypeError):
            yield Statement(number, "", 0, "")


@transaction.atomic
def checkpoint() -> Checkpoint | None:
    """Sign the chain's end, in the database and as a line of the file; None when it has not moved since the last."""
    head = ChainHead.objects.get(pk=1)
    if not head.seq or Checkpoint.objects.filter(seq=head.seq).exists():
        return None
    unsigned = Statement(head.seq, head.hash, time.time_ns() // 1000, chain.public_key())
    statement = Statement(**{**asdict(unsigned), "signature": chain.sign(unsigned.body())})
    _append_line(orjson.dumps(asdict(statement)))
    return Checkpoint.objects.create(**asdict(statement))


def _append_line(line: bytes) -> None:
    """Append durably. O_APPEND writes of one short line do not mix, also from two processes."""
    descriptor = os.open(folder() / "checkpoints.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
