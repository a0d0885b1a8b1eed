from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TelemetryConfig(AppConfig):
    name = "quarterdeck.telemetry"
    label = "telemetry"

    def ready(self) -> None:
        from quarterdeck.access.registry import register

        register("telemetry.query", _("See metrics of items"))
