"""The API: one router file per capability, all found here and mounted under /api/v1/."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from django.utils.translation import gettext_noop as _
from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from quarterdeck.api import problems, routers
from quarterdeck.api.auth import BearerToken, Session
from quarterdeck.api.codec import JsonParser, OrjsonRenderer
from quarterdeck.api.description import complete
from quarterdeck.api.idempotency import at_most_once

_ABOUT = _("Everything that the pages show and do. Errors are problem+json (RFC 9457); lists come in pages.")


class QuarterdeckApi(NinjaAPI):
    """Ninja's API with short operation ids and a description that names every answer."""

    _described: OpenAPISchema | None = None

    def get_openapi_operation_id(self, operation: Operation) -> str:
        module = operation.view_func.__module__.rpartition(".")[2]
        return f"{module}_{operation.view_func.__name__.rstrip('_')}"

    def get_openapi_schema(self, **where: Any) -> OpenAPISchema:
        if self._described is None:
            self._described = complete(super().get_openapi_schema(**where))
        return self._described


def _routers() -> dict[str, Router]:
    names = sorted(module.name for module in pkgutil.iter_modules(routers.__path__))
    modules = (importlib.import_module(f"{routers.__name__}.{name}") for name in names)
    return {module.__name__.rpartition(".")[2]: module.router for module in modules}


def _build() -> QuarterdeckApi:
    built = QuarterdeckApi(
        title="Quarterdeck",
        version="1",
        description=_ABOUT,
        urls_namespace="api",
        auth=[BearerToken(), Session()],
        parser=JsonParser(),
        renderer=OrjsonRenderer(),
    )
    problems.install(built)
    built.add_decorator(at_most_once, mode="view")
    for name, router in _routers().items():
        built.add_router("", router, tags=[name])
    return built


api = _build()
urls = api.urls
