"""Settings in force and where each came from."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.access.checks import require
from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Json

router = Router()


class SettingRow(TypedDict):
    """One setting. The value of a secret is null; `is_set` tells whether there is one."""

    name: str
    env: str
    value: Json
    default: Json
    is_set: bool
    is_secret: bool
    origin: str
    unit: str
    help: str


class SettingPage(Schema):
    items: list[SettingRow]
    next: str | None


def _row(setting: Any) -> SettingRow:
    option = setting.option
    return {
        "name": option.name,
        "env": option.env,
        "value": None if option.secret else setting.value,
        "default": option.default,
        "is_set": setting.value not in ("", None),
        "is_secret": option.secret,
        "origin": setting.origin,
        "unit": option.unit,
        "help": option.help,
    }


@router.get("/settings", response=SettingPage)
def list_(request: HttpRequest) -> dict[str, Any]:
    """List every setting in force. Settings are changed in the environment or the TOML file."""
    require(identify(request), "settings.view")
    return {"items": [_row(setting) for setting in django_settings.QD_SETTINGS.values()], "next": None}
