from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LogsConfig(AppConfig):
    name = "quarterdeck.logs"
    label = "logs"

    def ready(self) -> None:
        from quarterdeck.access.registry import register

        register("logs.metrics", _("Manage the metrics that are counted from log lines"), scoped=False)
