"""The intake's own numbers as metrics, so that charts and alerts see it as they see everything else."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import Unavailable
from quarterdeck.monitoring.collection.reading import Reading
from quarterdeck.telemetry.intake_status import Counts, IntakeStatus, intake_status

log = logging.getLogger(__name__)


def intake_readings(actor: Actor) -> list[Reading]:
    """Measure the intake once; nothing while it does not answer. Raises Denied."""
    try:
        return list(readings_of(intake_status(actor)))
    except Unavailable as error:
        log.debug("the intake is not measured: %s", error.message)
        return []


def readings_of(status: IntakeStatus) -> Iterator[Reading]:
    """Yield counters of records and gauges of what waits.

    See https://prometheus.io/docs/practices/naming/ for the names.
    """
    yield Reading("quarterdeck_intake_spool_bytes", status.spool_bytes)
    yield Reading("quarterdeck_intake_waiting_segments", status.waiting_segments)
    for row in status.keys:
        yield from _of_key(row)


def _of_key(row: Counts) -> Iterator[Reading]:
    labels = {"protocol": row.protocol, "key": row.key}
    yield Reading("quarterdeck_intake_accepted_records_total", row.accepted, labels)
    yield Reading("quarterdeck_intake_spooled_records_total", row.spooled, labels)
    yield Reading("quarterdeck_intake_loaded_records_total", row.loaded, labels)
    # Not a counter: a dead letter that is retried is dead no more.
    yield Reading("quarterdeck_intake_dead_records", row.dead, labels)
    yield Reading("quarterdeck_intake_lag_seconds", row.lag_seconds, labels)
    for reason, count in row.refused_by_reason.items():
        yield Reading("quarterdeck_intake_refused_records_total", count, {**labels, "reason": reason})
