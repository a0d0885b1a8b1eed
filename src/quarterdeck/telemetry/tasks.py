"""Periodic work on telemetry."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.telemetry import parts, rollups, sampling

SCHEDULES = {
    "telemetry roll-ups": ("telemetry.roll_up", 60),
    "telemetry disk guard": ("telemetry.guard_disk", 60),
    "telemetry retention": ("telemetry.drop_expired", 3600),
    "telemetry sampling": ("telemetry.sample_traces", 3600),
}


@shared_task(name="telemetry.roll_up")  # type: ignore[untyped-decorator]
def roll_up() -> None:
    """Fill the roll-up tables as far as their windows are closed."""
    rollups.roll_up()


@shared_task(name="telemetry.guard_disk")  # type: ignore[untyped-decorator]
def guard_disk() -> None:
    """Drop the oldest telemetry when the disk gets full."""
    parts.guard()


@shared_task(name="telemetry.drop_expired")  # type: ignore[untyped-decorator]
def drop_expired() -> None:
    """Drop telemetry that is older than its retention."""
    parts.drop_expired()


@shared_task(name="telemetry.sample_traces")  # type: ignore[untyped-decorator]
def sample_traces() -> None:
    """Thin out the traces of past days. See `sampling.sample`."""
    sampling.sample()
