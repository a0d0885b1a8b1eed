"""A Celery application with the product's settings and the laboratory's tasks only: `celery -A tests.lab.queue_app`."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

from quarterdeck.conf.celery import configuration

app = Celery("lab", include=["tests.lab.tasks"], fixups=[])
app.conf.update(configuration(settings.QD["broker_url"]))
# Tests share a broker, not a queue.
app.conf.task_default_queue = os.environ.get("LAB_QUEUE", "lab")
