from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TelemetryConfig(AppConfig):
    name = "quarterdeck.telemetry"
    label = "telemetry"

    def ready(self) -> None:
        from quarterdeck.access.registry import register

        register("telemetry.query", _("See metrics, logs, traces and errors of items"))
        register("telemetry.keys", _("Manage intake keys and rules of redaction"), scoped=False)
        register("telemetry.intake", _("See how the intake is doing"), scoped=False)
        register("telemetry.dead", _("Read, retry and delete what the intake could not store"), scoped=False)
        register("telemetry.sql", _("Read telemetry by SQL, whatever item it is of"), scoped=False)
