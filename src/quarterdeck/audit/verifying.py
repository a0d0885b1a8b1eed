"""Is the log whole? Walks the chain from the first archived segment on and names the first record that does not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from quarterdeck.audit import chain
from quarterdeck.audit.checkpoints import Statement, archive_folder, outside
from quarterdeck.audit.models import AuditEvent, ChainHead, Checkpoint, Segment

_COLUMNS = (*chain.HASHED_FIELDS, "prev_hash", "hash")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked` events were read; when not `ok`, `first_bad_seq` is the first that does not fit and `reason` why.

    `archives_missing` names segment files that are not in the archive folder: moved away is allowed, edited is not.
    """

    ok: bool
    checked: int
    first_bad_seq: int | None = None
    reason: str = ""
    checkpoints: int = 0
    archives_missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _BrokenError(Exception):
    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


def verify() -> Verdict:
    """Check archived segments, every event in the table, and every checkpoint in the database and outside it.

    It may run while events are appended. Should a segment be archived meanwhile, it starts again.
    """
    while True:
        segments = Segment.objects.count()
        verdict = _verify()
        if verdict.ok or Segment.objects.count() == segments:
            return verdict


def _verify() -> Verdict:
    walk, statements = _Walk(), []
    try:
        statements = _statements()
        walk.expect(statements)
        walk.expect_end()
        walk.through_segments()
        walk.through_events()
        walk.at_the_end()
    except _BrokenError as broken:
        return Verdict(False, walk.checked, broken.seq, broken.reason, len(statements), tuple(walk.missing))
    return Verdict(True, walk.checked, checkpoints=len(statements), archives_missing=tuple(walk.missing))


class _Walk:
    """Where the walk stands: the number and hash of the last good event."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = chain.GENESIS
        self.checked = 0
        self.missing: list[str] = []
        self._key_id = chain.key_id()
        self._known = 0
        self._end: tuple[int, str] = (0, "")
        self._signed: dict[int, set[str]] = {}

    def expect(self, statements: list[Statement]) -> None:
        """Note which hash each checkpoint signed for its event."""
        for statement in statements:
            self._signed.setdefault(statement.seq, set()).add(statement.hash)
            self._known = max(self._known, statement.seq)

    def expect_end(self) -> None:
        """Note where the chain ends now, before the walk: what is appended meanwhile is not cut off."""
        self._end = _end()
        self._known = max(self._known, self._end[0])

    def through_segments(self) -> None:
        for segment in Segment.objects.iterator():
            if segment.first_seq != self.seq + 1 or segment.first_prev_hash != self.hash:
                raise _BrokenError(
                    self.seq + 1, f"archived segment {segment.first_seq}-{segment.last_seq} does not follow"
                )
            _check_signature(segment.public_key, segment.signature, segment_statement(segment), segment.first_seq)
            self._check_file(segment)
            self.seq, self.hash = segment.last_seq, segment.last_hash

    def _check_file(self, segment: Segment) -> None:
        path = archive_folder() / segment.file_name
        if not path.is_file():
            self.missing.append(segment.file_name)
            return
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != segment.file_sha256:
                raise _BrokenError(segment.first_seq, f"archive {segment.file_name} was edited")

    def through_events(self) -> None:
        archived_until = self.seq
        for row in _rows(archived_until):
            self._check_event(dict(zip(_COLUMNS, row, strict=True)))
            self.checked += 1

    def _check_event(self, fields: dict[str, Any]) -> None:
        """Check that an event is the next one and is as it was written; `fields` are its columns."""
        seq, prev_hash, stored = fields["seq"], fields.pop("prev_hash"), fields.pop("hash")
        expected = self.seq + 1
        if seq != expected:
            raise _BrokenError(expected, f"record {expected} was removed")
        if prev_hash != self.hash:
            raise _BrokenError(seq, f"record {seq} does not follow record {seq - 1}: one of them was replaced or moved")
        if fields["key_id"] != self._key_id:
            raise _BrokenError(seq, f"record {seq} was written with another key ({fields['key_id']})")
        if chain.link(prev_hash, fields) != stored:
            raise _BrokenError(seq, f"record {seq} was edited")
        if seq in self._signed and self._signed[seq] != {stored}:
            raise _BrokenError(seq, f"record {seq} is not the one that its checkpoint signed: history was rewritten")
        if seq == self._end[0] and stored != self._end[1]:
            raise _BrokenError(seq, f"the chain's end is not record {seq}")
        self.seq, self.hash = seq, stored

    def at_the_end(self) -> None:
        if self._known > self.seq:
            raise _BrokenError(self.seq + 1, f"records {self.seq + 1} to {self._known} were cut off")
        if _end()[0] < self.seq:
            raise _BrokenError(self.seq, "the row that tells where the chain ends was edited or removed")


def _end() -> tuple[int, str]:
    """Return number and hash of the last event as the chain's own row has it."""
    return ChainHead.objects.filter(pk=1).values_list("seq", "hash").first() or (0, "")


def _rows(after: int) -> Iterator[tuple[Any, ...]]:
    return AuditEvent.objects.filter(seq__gt=after).order_by("seq").values_list(*_COLUMNS).iterator(chunk_size=5000)


def _statements() -> list[Statement]:
    """Every checkpoint of the database and of the file. A wrong signature is a finding, not a checkpoint to skip."""
    stored = [
        Statement(row.seq, row.hash, row.at_us, row.public_key, row.signature) for row in Checkpoint.objects.all()
    ]
    statements = [*stored, *outside()]
    for statement in statements:
        if statement.public_key != chain.public_key() or not statement.is_signed():
            raise _BrokenError(statement.seq, f"the signature of the checkpoint at record {statement.seq} is wrong")
    return statements


def segment_statement(segment: Segment) -> bytes:
    """Return what a segment's signature covers."""
    names = ("first_seq", "last_seq", "first_prev_hash", "last_hash", "file_name", "file_sha256")
    return chain.canonical({name: getattr(segment, name) for name in names})


def _check_signature(public_key: str, signature: str, statement: bytes, seq: int) -> None:
    if public_key != chain.public_key() or not chain.is_signed(public_key, signature, statement):
        raise _BrokenError(seq, f"the signature of the segment that starts at {seq} is wrong")
