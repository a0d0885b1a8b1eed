"""Bodies in and out: JSON by orjson, with errors that say where the text went wrong."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from quarterdeck.core.errors import BadInput, OpsError


class NotJson(BadInput):
    code = "bad_json"
    status = 400


class UnsupportedMediaType(OpsError):
    code = "unsupported_media_type"
    status = 415


def _without_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" not in value
    if isinstance(value, dict):
        return all(_without_nul(key) and _without_nul(inner) for key, inner in value.items())
    return all(map(_without_nul, value)) if isinstance(value, list) else True


class JsonParser(Parser):
    """Reads JSON bodies. PostgreSQL stores no NUL character, so none is let in on either database."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type not in ("application/json", "application/merge-patch+json", ""):
            raise UnsupportedMediaType(
                _("the body is %(found)s") % {"found": request.content_type}, hint=_("send application/json")
            )
        try:
            value: dict[str, Any] = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise NotJson(_("the body is not JSON: %(error)s") % {"error": error.msg}, position=error.pos) from error
        if b"\\u0000" in request.body and not _without_nul(value):
            raise BadInput(_("the body holds a NUL character"), hint=_("remove \\u0000"))
        return value


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)
