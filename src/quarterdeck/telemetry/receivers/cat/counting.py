"""What CAT counts itself: a client that does not send a tree counts its transactions and events and sends the sums.

A transaction's data is then `@count;errors;sum in ms;duration in ms,count|...`, an event's `@count;errors`. See
message_aggregator_trans.c of https://github.com/dianping/cat
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_CALLS = re.compile(r"@(\d{1,15});(\d{1,15});(\d{1,12});((?:\d{1,12},\d{1,12}\|?)*);?", re.ASCII)
_EVENTS = re.compile(r"@(\d{1,15});(\d{1,15});?", re.ASCII)
_NANOSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls there were; `durations` counts them by red_1m's buckets, four to each doubling."""

    count: int
    errors: int
    duration_ns_sum: int
    duration_ns_max: int
    durations: Mapping[int, int]


def is_batch(data: str) -> bool:
    return data.startswith("@")


def calls_of(data: str) -> Calls | None:
    """Return the calls that a transaction's data counts; None when it is not of that form."""
    match = _CALLS.fullmatch(data)
    if match is None:
        return None
    buckets: Counter[int] = Counter()
    longest = 0
    for pair in filter(None, match[4].split("|")):
        duration_ns, count = (int(number) for number in pair.split(","))
        duration_ns *= _NANOSECONDS
        buckets[bucket_of(duration_ns)] += count
        longest = max(longest, duration_ns)
    return Calls(int(match[1]), int(match[2]), int(match[3]) * _NANOSECONDS, longest, buckets)


def events_of(data: str) -> tuple[int, int] | None:
    """Return `(count, errors)` of an event's data."""
    match = _EVENTS.fullmatch(data)
    return (int(match[1]), int(match[2])) if match else None


def one_call(duration_us: int, *, is_error: bool) -> Calls:
    duration_ns = duration_us * 1000
    return Calls(1, int(is_error), duration_ns, duration_ns, {bucket_of(duration_ns): 1})


def bucket_of(duration_ns: int) -> int:
    """Return the bucket as the schema of red_1m defines it."""
    return math.floor(4 * math.log2(max(duration_ns, 1)))
