from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "quarterdeck.access"
    label = "access"
