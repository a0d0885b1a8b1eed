from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ErrorsConfig(AppConfig):
    name = "quarterdeck.errors"
    label = "errors"

    def ready(self) -> None:
        from quarterdeck.access.registry import register

        register("errors.edit", _("Resolve, ignore, assign, merge and split issues, and comment on them"))
        register("errors.rules", _("Manage the rules by which errors are grouped"), scoped=False)
        register("errors.owners", _("Manage the rules that say whose errors are"), scoped=False)
        register("errors.upload", _("Upload source maps and the commits of releases"), scoped=False)
