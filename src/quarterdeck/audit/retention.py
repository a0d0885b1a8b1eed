"""Old events leave the table as whole, signed segments, so that what is left stays verifiable."""

from __future__ import annotations

import gzip
import hashlib
import os
from datetime import datetime
from pathlib import Path

import orjson
from django.db import transaction
from django.db.models import Min

from quarterdeck.audit import chain
from quarterdeck.audit.checkpoints import archive_folder
from quarterdeck.audit.models import AuditEvent, Segment
from quarterdeck.audit.verifying import segment_statement
from quarterdeck.core.clock import now

SEGMENT_EVENTS = 50_000
_COLUMNS = (*chain.HASHED_FIELDS, "prev_hash", "hash")


def archive_before(moment: datetime, *, last_seq: int | None = None) -> Segment | None:
    """Move the oldest events from before `moment`, at most 50,000, to a file; None when there are none.

    `last_seq` bounds how far, so that nothing leaves which a syslog receiver has not got yet.
    The triggers let only events go that a segment covers; the segment is signed before the rows leave.
    """
    limit_us = int(moment.timestamp() * 1_000_000)
    # Times follow the numbers but for a moved clock; a segment is a run of numbers without holes.
    first_kept = AuditEvent.objects.filter(at_us__gte=limit_us).aggregate(seq=Min("seq"))["seq"]
    events = AuditEvent.objects.order_by("seq")
    if first_kept is not None:
        events = events.filter(seq__lt=first_kept)
    if last_seq is not None:
        events = events.filter(seq__lte=last_seq)
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in events.values_list(*_COLUMNS)[:SEGMENT_EVENTS]]
    if not rows:
        return None
    path = archive_folder() / f"{rows[0]['seq']:012d}-{rows[-1]['seq']:012d}.jsonl.gz"
    digest = _write(path, rows)
    segment = Segment(
        first_seq=rows[0]["seq"], last_seq=rows[-1]["seq"], first_prev_hash=rows[0]["prev_hash"],
        last_hash=rows[-1]["hash"], file_name=path.name, file_sha256=digest, archived_at=now(),
        public_key=chain.public_key(),
    )  # fmt: skip
    segment.signature = chain.sign(segment_statement(segment))
    with transaction.atomic():
        segment.save(force_insert=True)
        AuditEvent.objects.filter(seq__gte=segment.first_seq, seq__lte=segment.last_seq)._raw_delete(
            AuditEvent.objects.db
        )
    return segment


def _write(path: Path, rows: list[dict[str, object]]) -> str:
    """Write the file whole or not at all, and durably, because the rows go next; return its SHA-256.

    The same rows give the same bytes, so two archivers at once do not spoil each other's file.
    """
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
            for row in rows:
                file.write(orjson.dumps(row) + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    part.chmod(0o600)
    part.replace(path)
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
