"""The scraper: one loop for each target, in a thread of its own, for as long as discovery names the target.

What is scraped goes where everything goes that is received: into the intake's spool (`keep`). There it is on disk
before the engine has to be there, survives a kill, and is stored once; a scraper that wrote to the engine itself would
lose what it scraped while the engine is away, and could never scrape it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx

from quarterdeck.core.clock import now
from quarterdeck.core.errors import OpsError
from quarterdeck.monitoring.scraping.fetching import NotScraped, client_of, fetch
from quarterdeck.monitoring.scraping.job import Job
from quarterdeck.monitoring.scraping.page import Page, Report, frame_of_lines
from quarterdeck.monitoring.scraping.targets import Target
from quarterdeck.telemetry.exposition import parse
from quarterdeck.telemetry.receiving import Frame, Refused

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
_FIRST_LOOK_SECONDS = 0.5

Keep = Callable[[Sequence[Frame]], Future[None]]
# Returns the targets that there are now, and sentences about what of the configuration is not followed.
Discover = Callable[[], tuple[Iterable[Target], list[str]]]


@dataclass(slots=True)
class _Loop:
    """A target's task and how its last scrape went."""

    target: Target
    task: asyncio.Task[None]
    is_up: bool = False
    error: str = ""
    scraped_at: float = 0.0
    duration_seconds: float = 0.0
    samples: int = 0


class Scraper:
    """Scrapes what `discover` names and gives the frames to `keep`. Both are called from the scraper's own threads."""

    def __init__(self, discover: Discover, keep: Keep) -> None:
        self._discover = discover
        self._keep = keep
        self._loops: dict[Target, _Loop] = {}
        self._clients: dict[Job, httpx.AsyncClient] = {}
        self._problems: list[str] = []
        self._lost = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="scraper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; a scrape under way is given up. No ends are written: the series go on when the scraper is back."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def shown(self) -> dict[str, Any]:
        """Return `{"problems": [...], "lost_samples", "targets": [{"job", "instance", "is_up", "error", ...}]}`."""
        loops = sorted(self._loops.copy().values(), key=lambda one: (one.target.job.name, one.target.url))
        return {
            "problems": list(self._problems),
            "lost_samples": self._lost,
            "targets": [_shown(one) for one in loops],
        }

    async def _run(self) -> None:
        wait = 0.0
        while not await asyncio.to_thread(self._stopping.wait, wait):
            await self._look()
            wait = LOOK_SECONDS if self._loops else _FIRST_LOOK_SECONDS
        for loop in self._loops.values():
            loop.task.cancel()
        await asyncio.gather(*(loop.task for loop in self._loops.values()), return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _look(self) -> None:
        """Start what is new, stop what is gone. While discovery fails everything goes on as it was."""
        try:
            targets, problems = await asyncio.to_thread(self._discover)
        except Exception as error:
            log.warning("targets are not looked for: %s", error, exc_info=not isinstance(error, OpsError))
            self._problems = [error.message if isinstance(error, OpsError) else type(error).__name__]
            return
        for problem in set(problems) - set(self._problems):
            log.warning("scraping: %s", problem)
        self._problems = problems
        wanted = {target: target for target in targets}
        # A job that was changed is a new one, also where its targets look the same.
        gone = [one for one in self._loops if one not in wanted or wanted[one].job != one.job]
        await asyncio.gather(*(self._end(self._loops.pop(target)) for target in gone))
        for target in wanted.values():
            if target not in self._loops:
                self._loops[target] = _Loop(target, asyncio.create_task(self._follow(target)))
        await self._close_unused()

    async def _end(self, loop: _Loop) -> None:
        loop.task.cancel()
        await asyncio.gather(loop.task, return_exceptions=True)

    async def _close_unused(self) -> None:
        used = {loop.target.job for loop in self._loops.values()}
        for job in [job for job in self._clients if job not in used]:
            await self._clients.pop(job).aclose()

    async def _follow(self, target: Target) -> None:
        page = Page(target)
        try:
            await asyncio.sleep(_offset_seconds(target))
            due = time.monotonic()
            while True:
                await self._scrape(target, page)
                # A scrape that took too long leaves out the one that it overran.
                due += target.interval_seconds * max(1, -(-(time.monotonic() - due) // target.interval_seconds))
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                at_ms = _now_ms()
                await self._write([*page.end(at_ms), *page.end_reports(at_ms)])
            raise
        except Exception:
            log.exception("BUG: %s is not scraped any more", target.shown_url)

    async def _scrape(self, target: Target, page: Page) -> None:
        loop = self._loops[target]
        at_ms, started = _now_ms(), time.monotonic()
        lines: list[bytes] = []
        report = Report(is_up=False, duration_seconds=0.0)
        try:
            text, is_openmetrics = await asyncio.wait_for(
                fetch(self._client(target.job), target), target.timeout_seconds
            )
            exposition = parse(text, is_openmetrics=is_openmetrics)
            lines, kept, added = page.read(exposition, at_ms)
            seconds = time.monotonic() - started
            report = Report(True, seconds, len(exposition.samples), kept, added)
            loop.error = ""
        except TimeoutError:
            loop.error = f"no answer in {target.timeout_seconds:g} s"
        except (NotScraped, Refused) as error:
            loop.error = error.message
        if not report.is_up:
            lines = page.end(at_ms)
            report = Report(is_up=False, duration_seconds=time.monotonic() - started)
        loop.is_up, loop.scraped_at, loop.samples = report.is_up, at_ms / 1000, report.scraped
        loop.duration_seconds = report.duration_seconds
        await self._write([*lines, *page.report(report, at_ms)])

    def _client(self, job: Job) -> httpx.AsyncClient:
        if job not in self._clients:
            self._clients[job] = client_of(job)
        return self._clients[job]

    async def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        try:
            await asyncio.wrap_future(self._keep([frame_of_lines(lines)]))
        except (Refused, OpsError) as error:
            # The spool is full, at gigabytes: a target is asked again, but not for what it showed a while ago.
            self._lost += len(lines)
            log.warning("%d scraped samples are lost: %s", len(lines), error.message)


def _offset_seconds(target: Target) -> float:
    """Spread the targets over the interval, each at the same place after every start."""
    digest = hashlib.blake2b(f"{target.url}{target.labels}".encode(), digest_size=8).digest()
    phase = int.from_bytes(digest, "big") / 2**64 * target.interval_seconds
    return (phase - time.time()) % target.interval_seconds


def _now_ms() -> int:
    return int(now().timestamp() * 1000)


def _shown(loop: _Loop) -> dict[str, Any]:
    return {
        "job": dict(loop.target.labels).get("job", loop.target.job.name),
        "instance": loop.target.instance,
        "url": loop.target.shown_url,
        "item": loop.target.item,
        "is_up": loop.is_up,
        "error": loop.error,
        "scraped_at": loop.scraped_at or None,
        "duration_seconds": round(loop.duration_seconds, 6),
        "samples": loop.samples,
    }
