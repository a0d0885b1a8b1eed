"""From a request to two frames: samples by the numbers of their series, and the series of which the engine is told.

Series that are known, which is nearly all, cost two slices and a look into a dictionary. Whatever else comes is read
with protobuf, and so checked; a series is known by the very bytes that were checked.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receivers.prometheus_remote_write import wire
from quarterdeck.telemetry.receivers.prometheus_remote_write.known import NAMELESS, Known, Named
from quarterdeck.telemetry.receivers.prometheus_remote_write.messages import SERIES_BYTES, TIME_SERIES
from quarterdeck.telemetry.receivers.prometheus_remote_write.statements import SAMPLES, SERIES
from quarterdeck.telemetry.receiving import Frame

# How many samples stand behind a series' number in one row: their count is a byte.
_COUNT_MAX = 127
_NUMBER = struct.Struct("<QQ")


@dataclass(slots=True)
class Batch:
    """What a request holds: of each series what it is known by, its message and its samples in the fixed form.

    `rows` are what is kept of the samples.
    """

    keys: list[int] = field(default_factory=list)
    series: list[bytes] = field(default_factory=list)
    samples: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    # Of those that were not known.
    labels: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, key: int, number: bytes, series: bytes, samples: bytes) -> None:
        for at in range(0, len(samples), _COUNT_MAX * wire.SAMPLE_BYTES):
            some = samples[at : at + _COUNT_MAX * wire.SAMPLE_BYTES]
            self.rows += (number, bytes((len(some) // wire.SAMPLE_BYTES,)), some)
        self.keys.append(key)
        self.series.append(series)
        self.samples.append(samples)

    def refuse(self, reason: str, count: int) -> None:
        if count:
            self.refused[reason] = self.refused.get(reason, 0) + count

    def named(self, keys: Collection[int], known: Known) -> list[Named]:
        """Return the series that are known by `keys`, each once."""
        found: dict[int, Named] = {}
        for key, series, samples in zip(self.keys, self.series, self.samples, strict=True):
            if key in keys and key not in found:
                labels = self.labels.get(key) or _labels(protos.parsed(TIME_SERIES, series))
                number = known.numbers.get(key) or known.learn(key, labels)
                found[key] = Named(key, number, labels, wire.oldest_ms(samples))
        return list(found.values())


def read(body: bytes, known: Known) -> Batch:
    """Return what a request holds. Raises Refused."""
    series = list(protos.parsed(SERIES_BYTES, body).timeseries)
    batch = Batch()
    if series:
        _add_alike(batch, series, known)
    if not wire.are_fixed(b"".join(batch.samples)):
        # Something else stood where a sample's bytes would. No writer does that; protobuf says what it means.
        batch = Batch()
        for one in series:
            _add_any(batch, one, known)
    return batch


def _add_alike(batch: Batch, series: Sequence[bytes], known: Known) -> None:
    """Add series that mostly have as many samples as the first one, in the fixed form or all 0.0.

    These lists are most of what a sample costs here: none of them calls anything of Python's own.
    """
    count = min(max(1, len(protos.parsed(TIME_SERIES, series[0]).samples)), _COUNT_MAX)
    whole, short = -count * wire.SAMPLE_BYTES, -count * wire.ZERO_BYTES
    whole_mark, short_mark = whole + len(wire.VALUE), short + len(wire.ZERO)
    value, zero, nought = wire.VALUE, wire.ZERO, wire.NOUGHT
    # Where the samples of each begin, counted from its end; 0 for one that is neither.
    cuts = [
        whole if one[whole:whole_mark] == value else short if one[short:short_mark] == zero else 0 for one in series
    ]
    keys = [hash(one[:cut]) for one, cut in zip(series, cuts, strict=True)]
    numbers = list(map(known.numbers.get, keys, repeat(NAMELESS)))
    samples = [
        one[cut:] if cut == whole else one[cut:].replace(zero, nought) for one, cut in zip(series, cuts, strict=True)
    ]
    if all(numbers) and all(cuts) and set(map(len, samples)) == {-whole}:
        batch.rows += chain.from_iterable(zip(numbers, repeat(bytes((count,))), samples))
        batch.keys, batch.series, batch.samples = keys, list(series), samples
        return
    for key, one, number, some, cut in zip(keys, series, numbers, samples, cuts, strict=True):
        fits = cut != 0 and len(some) == -whole
        if fits and not number and wire.are_fixed(some):
            number = _learnt(batch, key, one[:cut], known)
        if fits and number:
            batch.add(key, number, one, some)
        else:
            _add_any(batch, one, known)


def _learnt(batch: Batch, key: int, head: bytes, known: Known) -> bytes:
    """Return the number of the series whose labels are `head`; NAMELESS where it has no name, or this is more than that."""
    try:
        message: Any = TIME_SERIES.FromString(head)
    except DecodeError:
        return NAMELESS
    if message.samples:
        return NAMELESS
    labels = _labels(message)
    if "__name__" not in labels:
        return NAMELESS
    batch.labels[key] = labels
    return known.learn(key, labels)


def _add_any(batch: Batch, series: bytes, known: Known) -> None:
    """Add a series of whatever form. Raises Refused."""
    message = protos.parsed(TIME_SERIES, series)
    if not message.samples:
        return
    labels, end = _labels(message), wire.labels_end(series)
    # Where samples stand between the labels there are no bytes by which it could be found again.
    key = hash(series[:end]) if end else hash(orjson.dumps(labels))
    number = known.numbers.get(key)
    if number is None:
        number = known.learn(key, labels)
    samples = wire.fixed((sample.value, sample.timestamp) for sample in message.samples)
    if number == NAMELESS:
        batch.refuse("no_name", len(message.samples))
        return
    batch.refuse("bad_time", len(message.samples) - len(samples) // wire.SAMPLE_BYTES)
    if samples:
        batch.add(key, number, series, samples)


def _labels(message: Any) -> dict[str, str]:
    """Return the labels in order of name, without empty ones, which say that there is none."""
    return dict(sorted([(label.name, label.value) for label in message.labels if label.value]))


def frame_of_samples(batch: Batch) -> Frame:
    return Frame(SAMPLES, b"".join(batch.rows), sum(map(len, batch.samples)) // wire.SAMPLE_BYTES)


def frame_of_series(named: Sequence[Named], until_ms: int) -> Frame:
    """Return the frame that tells of series which have samples until `until_ms`. It counts no records."""
    return Frame(SERIES, b"\n".join(_line(one, until_ms) for one in named), 0)


def _line(one: Named, until_ms: int) -> bytes:
    labels = one.labels
    instance = labels.get("instance", "")
    identities = {"instance": instance, "job": labels.get("job", "")}
    first, second = _NUMBER.unpack(one.number)
    return orjson.dumps((first, second, instance, identities, labels["__name__"], labels, one.oldest_ms, until_ms))
