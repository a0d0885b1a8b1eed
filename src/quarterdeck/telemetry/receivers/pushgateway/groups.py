"""What was pushed under each grouping key, kept and shown until somebody deletes it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from quarterdeck.telemetry.canonical import STALE, MetricRow, Sender, frame_of_metrics
from quarterdeck.telemetry.receiving import Refused, Taken

Labels = tuple[tuple[str, str], ...]
# `{"http_seconds": [("http_seconds_bucket", (("le", "1"),), 5.0), ...]}`
Families = dict[str, list[tuple[str, Labels, float]]]
Place = tuple[int, Labels]

# All groups together: what is pushed is sent on again and again, for ever.
SAMPLES_MAX = 200_000
_PUSHED, _FAILED = "push_time_seconds", "push_failure_time_seconds"


@dataclass(slots=True)
class Group:
    """`pushed_ms` and `failed_ms` are the times of the last push that was taken, and of the last that was not."""

    labels: dict[str, str]
    families: Families = field(default_factory=dict)
    pushed_ms: int = 0
    failed_ms: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self.families.values()))

    def samples(self) -> Iterator[tuple[str, Labels, float]]:
        for family in self.families.values():
            yield from family
        own = tuple(sorted((name, value) for name, value in self.labels.items() if value))
        yield _PUSHED, own, self.pushed_ms / 1000
        yield _FAILED, own, self.failed_ms / 1000

    def sender(self) -> Sender:
        """The instance that the grouping key names, as in Prometheus; else the job."""
        job, instance = self.labels["job"], self.labels.get("instance", "")
        if instance:
            return Sender("instance", instance, {"instance": instance, "job": job})
        return Sender("service", job, {"service.name": job, "job": job})


class Groups:
    """The state of the receiver: see `telemetry.receiving.State`. Each intake key has groups of its own."""

    def __init__(self, saved: Mapping[str, bytes]) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Place, Group] = {}
        self._changed: set[Place] = set()
        for content in saved.values():
            place, group = _loaded(content)
            self._groups[place] = group
        self._size = sum(group.size for group in self._groups.values())

    def put(self, key: int, labels: Mapping[str, str], families: Families, now_ms: int) -> list[MetricRow]:
        """Replace the whole group; return its samples, and marks for the series that are no more."""
        return self._push((key, _grouping(labels)), dict(labels), families, now_ms, is_whole=True)

    def post(self, key: int, labels: Mapping[str, str], families: Families, now_ms: int) -> list[MetricRow]:
        """Replace those families of the group that were pushed, as `put`."""
        return self._push((key, _grouping(labels)), dict(labels), families, now_ms, is_whole=False)

    def _push(
        self, place: Place, labels: dict[str, str], families: Families, now_ms: int, *, is_whole: bool
    ) -> list[MetricRow]:
        with self._lock:
            old = self._groups.get(place) or Group(labels)
            kept = {} if is_whole else old.families
            new = Group(labels, {**kept, **families}, now_ms, old.failed_ms)
            if self._size - old.size + new.size > SAMPLES_MAX:
                raise Refused(f"more than {SAMPLES_MAX} samples in all groups", reason="too_large", status=413)
            self._size += new.size - old.size
            self._groups[place] = new
            self._changed.add(place)
        return [*_rows(new, new.samples(), now_ms), *_ended(old, new, now_ms)]

    def failed(self, key: int, labels: Mapping[str, str], now_ms: int) -> None:
        """Note that a push was not taken, so that an alert can tell."""
        place = (key, _grouping(labels))
        with self._lock:
            self._groups.setdefault(place, Group(dict(labels))).failed_ms = now_ms
            self._changed.add(place)

    def delete(self, key: int, labels: Mapping[str, str], now_ms: int) -> list[MetricRow]:
        """Forget the group; return marks for its series. One that is not there is no error."""
        place = (key, _grouping(labels))
        with self._lock:
            old = self._groups.pop(place, None)
            if old is None:
                return []
            self._size -= old.size
            self._changed.add(place)
        return list(_rows(old, old.samples(), now_ms, STALE))

    def flush(self, now: datetime) -> dict[int, Taken]:
        """Return every group's samples as of now, as a scrape of the gateway would find them."""
        now_ms = int(now.timestamp() * 1000)
        rows: dict[int, list[MetricRow]] = {}
        with self._lock:
            groups = list(self._groups.items())
        for (key, _grouping_key), group in groups:
            rows.setdefault(key, []).extend(_rows(group, group.samples(), now_ms))
        return {key: Taken([frame_of_metrics(many)]) for key, many in rows.items()}

    def changes(self) -> dict[str, bytes]:
        with self._lock:
            changed, self._changed = self._changed, set()
            return {_file(place): _saved(place, self._groups.get(place)) for place in changed}


def _grouping(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _rows(
    group: Group, samples: Iterator[tuple[str, Labels, float]], now_ms: int, value: float | None = None
) -> Iterator[MetricRow]:
    sender = group.sender()
    for name, labels, found in samples:
        yield MetricRow(name, dict(labels), [(now_ms, found if value is None else value)], sender)


def _ended(old: Group, new: Group, now_ms: int) -> Iterator[MetricRow]:
    present = {(name, labels) for name, labels, _value in new.samples()}
    gone = (one for one in old.samples() if (one[0], one[1]) not in present)
    return _rows(old, gone, now_ms, STALE)


# Files.


def _file(place: Place) -> str:
    return hashlib.blake2b(repr(place).encode(), digest_size=16).hexdigest()


def _saved(place: Place, group: Group | None) -> bytes:
    if group is None:
        return b""
    # JSON has no word for NaN and infinity: numbers are written as text.
    families = {
        family: [(name, labels, repr(value)) for name, labels, value in samples]
        for family, samples in group.families.items()
    }
    return orjson.dumps((place[0], group.labels, families, group.pushed_ms, group.failed_ms))


def _loaded(content: bytes) -> tuple[Place, Group]:
    key, labels, families, pushed_ms, failed_ms = orjson.loads(content)
    group = Group(labels, {family: _samples(many) for family, many in families.items()}, pushed_ms, failed_ms)
    return (key, _grouping(labels)), group


def _samples(many: Sequence[tuple[str, Sequence[Sequence[str]], str]]) -> list[tuple[str, Labels, float]]:
    return [(name, tuple((label[0], label[1]) for label in labels), float(value)) for name, labels, value in many]
