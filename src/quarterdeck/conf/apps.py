from __future__ import annotations

from django.apps import AppConfig


class ConfConfig(AppConfig):
    name = "quarterdeck.conf"
    label = "conf"

    def ready(self) -> None:
        """Make our Celery application the current one, so that `core.later` sends to our broker in every process."""
        from quarterdeck.conf import celery

        celery.app.set_default()
