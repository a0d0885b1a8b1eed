"""The Celery application: one code path for every broker."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
app = Celery("quarterdeck")
