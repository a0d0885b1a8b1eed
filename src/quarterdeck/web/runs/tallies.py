"""How many hosts of a run have which status, as a bar and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quarterdeck.jobs.runs.models import HostStatus

# In the order in which they stand in a bar.
_TONES = {
    HostStatus.OK: "good",
    HostStatus.CHANGED: "info",
    HostStatus.FAILED: "bad",
    HostStatus.UNREACHABLE: "bad",
    HostStatus.LOST: "warn",
    HostStatus.CANCELLED: "warn",
    HostStatus.RUNNING: "busy",
    HostStatus.WAITING: "idle",
    HostStatus.SKIPPED: "idle",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the bar: `start` and `width` are percent of it."""

    status: str
    title: str
    tone: str
    count: int
    start: float
    width: float


class Tally:
    """`parts` of those statuses that hosts have."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.total = sum(counts.values())
        self.parts: list[Part] = []
        start = 0.0
        for status, tone in _TONES.items():
            if count := counts.get(status, 0):
                width = count * 100 / self.total
                self.parts.append(Part(status.value, str(status.label), tone, count, round(start, 3), round(width, 3)))
                start += width

    @property
    def ended(self) -> int:
        return sum(part.count for part in self.parts if part.status not in ("waiting", "running"))
