"""How the scraper is doing: which targets there are, and how the last scrape of each went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.telemetry.intake_door import ask

_STATUS_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """`item` is set where the inventory named the target; `scraped_at` is None before the first scrape."""

    job: str
    instance: str
    url: str
    item: int | None
    is_up: bool
    error: str
    scraped_at: datetime | None
    duration_seconds: float
    samples: int


@dataclass(frozen=True, slots=True)
class ScrapeStatus:
    """`problems` says what of the configuration is not followed; `lost_samples` found the spool full."""

    targets: list[ScrapeTarget]
    problems: list[str]
    lost_samples: int


def scrape_status(actor: Actor) -> ScrapeStatus:
    """Return the targets by job and URL. Raises Denied, Unavailable when the intake does not answer."""
    require(actor, "telemetry.intake")
    found = ask("GET", "/intake/status", seconds=_STATUS_SECONDS)["scrape"]
    return ScrapeStatus(
        targets=[_target(row) for row in found["targets"]],
        problems=[str(problem) for problem in found["problems"]],
        lost_samples=int(found["lost_samples"]),
    )


def _target(row: Mapping[str, Any]) -> ScrapeTarget:
    return ScrapeTarget(
        job=str(row["job"]),
        instance=str(row["instance"]),
        url=str(row["url"]),
        item=int(row["item"]) if row["item"] else None,
        is_up=bool(row["is_up"]),
        error=str(row["error"]),
        scraped_at=datetime.fromtimestamp(row["scraped_at"], UTC) if row["scraped_at"] else None,
        duration_seconds=float(row["duration_seconds"]),
        samples=int(row["samples"]),
    )
