"""What one target showed, scrape after scrape: its series under their final labels, and which of them have ended.

The text of a series is looked up, not read again: at the second scrape a sample costs a microsecond or two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quarterdeck.monitoring.scraping.relabel import relabelled
from quarterdeck.monitoring.scraping.targets import Target
from quarterdeck.telemetry.canonical import METRICS, STALE, Sender, points, series_head
from quarterdeck.telemetry.exposition import Exposition, series_of
from quarterdeck.telemetry.receiving import Frame, Refused

_EXPORTED = "exported_"


@dataclass(frozen=True, slots=True)
class Report:
    """How a scrape went. `scraped` samples came, `metric_relabel_configs` left `kept`, `added` are new series."""

    is_up: bool
    duration_seconds: float
    scraped: int = 0
    kept: int = 0
    added: int = 0


class Page:
    """One target's memory. Not for several threads at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._own = dict(target.labels)
        self._sender = Sender("instance", target.instance, target.identities)
        # Series by their text: the head of their line, b"" for those that a rule drops.
        self._heads: dict[str, bytes] = {}
        self._shown: set[bytes] = set()

    def read(self, exposition: Exposition, at_ms: int) -> tuple[list[bytes], int, int]:
        """Return the lines of the samples with marks for the series that ended, how many were kept, how many are new.

        Raises Refused when the exposition breaks a limit of the job, or names a series badly.
        """
        lines: list[bytes] = []
        current: set[bytes] = set()
        unmarked: set[bytes] = set()
        heads, honors = self._heads, self._target.job.honor_timestamps
        for series, value, time_ms in exposition.samples:
            head = heads.get(series)
            if head is None:
                head = heads[series] = self._head(series)
            if not head or head in current:
                continue
            current.add(head)
            if time_ms is not None and honors:
                # Who gives times of its own ends its series itself.
                unmarked.add(head)
            lines.append(head + points([(time_ms if time_ms is not None and honors else at_ms, value)]))
        kept = len(current)
        self._check_limit(kept)
        current -= unmarked
        added = len(current - self._shown)
        lines += self._ends(self._shown - current, at_ms)
        self._shown = current
        self._forget(exposition)
        return lines, kept, added

    def _check_limit(self, kept: int) -> None:
        limit = self._target.job.sample_limit
        if limit and kept > limit:
            raise Refused(f"{kept} samples, the sample_limit is {limit}", reason="sample_limit")

    def _forget(self, exposition: Exposition) -> None:
        """Keep the memory near what the target shows now."""
        if len(self._heads) > 2 * len(exposition.samples) + 1000:
            present = {series for series, _value, _time in exposition.samples}
            self._heads = {series: head for series, head in self._heads.items() if series in present}

    def end(self, at_ms: int) -> list[bytes]:
        """Return marks for all series that were shown last: the target is away."""
        ends = list(self._ends(self._shown, at_ms))
        self._shown = set()
        return ends

    def end_reports(self, at_ms: int) -> list[bytes]:
        """Return marks for the series about the scrape itself: nobody asks this target any more."""
        return [head + points([(at_ms, STALE)]) for head in self._report_heads()]

    def report(self, report: Report, at_ms: int) -> list[bytes]:
        """Return the lines of `up` and what else Prometheus writes about each scrape."""
        values = (
            float(report.is_up), report.duration_seconds, float(report.scraped), float(report.kept), float(report.added)
        )  # fmt: skip
        heads = self._report_heads()
        return [head + points([(at_ms, value)]) for head, value in zip(heads, values, strict=True)]

    def _report_heads(self) -> list[bytes]:
        names = (
            "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
            "scrape_series_added",
        )  # fmt: skip
        return [series_head(name, self._own, self._sender) for name in names]

    @staticmethod
    def _ends(heads: set[bytes], at_ms: int) -> Iterator[bytes]:
        tail = points([(at_ms, STALE)])
        return (head + tail for head in sorted(heads))

    def _head(self, series: str) -> bytes:
        name, labels = series_of(series)
        found: dict[str, str] | None = {"__name__": name, **self._merged(labels)}
        if self._target.job.metric_relabel:
            found = relabelled(found or {}, self._target.job.metric_relabel)
        metric = found.pop("__name__", "") if found else ""
        if not found or not metric:
            return b""
        self._check_labels(found)
        return series_head(metric, found, self._sender)

    def _merged(self, labels: dict[str, str]) -> dict[str, str]:
        """Put the target's labels to the sample's. Where both have one, the sample's gives way, or is honoured."""
        if self._target.job.honor_labels:
            return {**self._own, **labels}
        found = {**labels, **self._own}
        for name in sorted(labels.keys() & self._own.keys(), key=len):
            exported = _EXPORTED + name
            while exported in found:
                exported = _EXPORTED + exported
            found[exported] = labels[name]
        return found

    def _check_labels(self, labels: dict[str, str]) -> None:
        job = self._target.job
        if job.label_limit and len(labels) + 1 > job.label_limit:
            raise Refused(
                f"a series has {len(labels) + 1} labels, the label_limit is {job.label_limit}", reason="limit"
            )
        for name, value in labels.items():
            if job.label_name_limit and len(name) > job.label_name_limit:
                raise Refused(f"label {name[:100]} is longer than label_name_length_limit", reason="limit")
            if job.label_value_limit and len(value) > job.label_value_limit:
                raise Refused(f"the value of {name} is longer than label_value_length_limit", reason="limit")


def frame_of_lines(lines: Sequence[bytes]) -> Frame:
    """Return the frame of at least one line."""
    return Frame(METRICS, b"\n".join(lines), len(lines))
