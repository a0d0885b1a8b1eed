"""The Celery application: one code path for every broker."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
from django.conf import settings

EMBEDDED_URL = "embedded://localhost//"
QUEUE = "control"


def _transport_options(url: str) -> dict[str, Any]:
    """What each broker needs so that a message survives a killed worker and a restarted broker."""
    scheme = urlsplit(url).scheme
    if scheme.startswith("redis"):
        # Redis knows no consumers: what a killed worker held comes back only after this time.
        return {
            "visibility_timeout": settings.QD["broker_visibility_seconds"],
            "unacked_restore_interval": min(10, settings.QD["broker_visibility_seconds"]),
            # kombu looks only every tenth interval unless told otherwise, and a killed worker's lock holds 5 minutes.
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        }
    if scheme in ("amqp", "amqps", "pyamqp"):
        return {"confirm_publish": True, "connect_timeout": 5}
    return {"directory": str(settings.DATA)}


def configuration(url: str) -> dict[str, Any]:
    """Return Celery's settings for the broker at `url`, "" for the embedded one.

    Tasks are acknowledged late, because they are short, carry ids and can run twice; one that starts long work opts out
    with `acks_late=False` and claims its row instead. See https://docs.celeryq.dev/en/stable/userguide/configuration.html
    """
    return {
        "broker_url": url or EMBEDDED_URL,
        "broker_transport_options": _transport_options(url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_default_queue": QUEUE,
        "task_default_queue_type": "quorum" if urlsplit(url).scheme in ("amqp", "amqps", "pyamqp") else "classic",
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_soft_shutdown_timeout": 5,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_hijack_root_logger": False,
        "worker_concurrency": settings.QD["worker_concurrency"],
        "worker_max_memory_per_child": 512 * 1024,
        # Celery kills a forked process that has not reported within 4 seconds, and forks the next: on a machine that is
        # busy, as at our own start, none ever comes to work.
        "worker_proc_alive_timeout": 60.0,
        "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
        "enable_utc": True,
    }


def _register_embedded_broker() -> None:
    from kombu.transport import TRANSPORT_ALIASES

    TRANSPORT_ALIASES["embedded"] = "quarterdeck.core.broker.transport:Transport"


_register_embedded_broker()
app = Celery("quarterdeck")
app.conf.update(configuration(settings.QD["broker_url"]))
app.autodiscover_tasks()
