"""One function for each address. Whoever asks is known by a bearer token, or by a session with its CSRF token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.api.auth import identify
from quarterdeck.api.prometheus import answers, parameters
from quarterdeck.core.errors import OpsError
from quarterdeck.monitoring import prometheus
from quarterdeck.monitoring.prometheus import SECONDS_USUAL, Ask
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.samples import is_counter, unit_of
from quarterdeck.telemetry.turns import turns

log = logging.getLogger(__name__)

# What Grafana reads to know which parts of the language there are.
COMPATIBLE_VERSION = "3.5.0"
# Threads that wait for the engine; they hold no connection to the records.
_waiting = ThreadPoolExecutor(64, thread_name_prefix="promql")
_METADATA_MAX = 10_000

# Django's own types know no asynchronous views.
View = Callable[..., Any]


def _bug(error: Exception) -> HttpResponse:
    log.error("BUG: a PromQL request failed", exc_info=error)
    return answers.failure(OpsError(_("this is a bug in Quarterdeck; its log has the details")))


def _endpoint(prepare: Callable[..., Any], *, methods: tuple[str, ...] = ("GET", "POST", "HEAD")) -> View:
    """Make a view of `prepare(request, ...)`, which returns the answer, or what to ask and how to tell it."""

    @wraps(prepare)
    async def view(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            found = await sync_to_async(prepare)(request, **named)
            if isinstance(found, HttpResponse):
                return found
            ask, told = found
            return told(await _asked(ask))  # type: ignore[no-any-return]
        except OpsError as error:
            return answers.failure(error)
        except Exception as error:
            return _bug(error)

    return csrf_exempt(require_http_methods(methods)(view))


async def _asked(ask: Ask) -> Any:
    """Wait for the engine. Who leaves before it answers ends the query there."""
    with turns.place(ask.caller):
        loop, context = asyncio.get_running_loop(), copy_context()
        try:
            return await loop.run_in_executor(_waiting, context.run, ask.answer)
        except asyncio.CancelledError:
            # Not awaited: this request is over.
            loop.run_in_executor(_waiting, ask.stop)
            raise


def _seconds(request: HttpRequest) -> float:
    return parameters.duration_ms(request, "timeout", str(SECONDS_USUAL)) / 1000


def _query(request: HttpRequest) -> tuple[Ask, Any]:
    actor = identify(request, WITH_BASIC)
    text, at_ms = parameters.text(request, "query"), parameters.moment_ms(request, "time")
    return prometheus.instant(actor, text, at_ms, _seconds(request)), answers.of_answer


def _query_range(request: HttpRequest) -> tuple[Ask, Any]:
    actor = identify(request, WITH_BASIC)
    start_ms, end_ms = (parameters.moment_ms(request, name, required=True) for name in ("start", "end"))
    step_ms = parameters.duration_ms(request, "step")
    text, seconds = parameters.text(request, "query"), _seconds(request)
    return prometheus.over_range(actor, text, start_ms, end_ms, step_ms, seconds), answers.of_answer


def _series(request: HttpRequest) -> tuple[Ask, Any]:
    actor, limit = identify(request, WITH_BASIC), parameters.whole(request, "limit")
    return prometheus.series(actor, parameters.texts(request, "match[]"), limit), answers.success


def _labels(request: HttpRequest) -> tuple[Ask, Any]:
    actor, limit = identify(request, WITH_BASIC), parameters.whole(request, "limit")
    return prometheus.label_names(actor, parameters.texts(request, "match[]"), limit), answers.success


def _label_values(request: HttpRequest, name: str) -> tuple[Ask, Any]:
    actor, limit = identify(request, WITH_BASIC), parameters.whole(request, "limit")
    return prometheus.label_values(actor, name, parameters.texts(request, "match[]"), limit), answers.success


def _metadata(request: HttpRequest) -> tuple[Ask, Any]:
    actor, metric = identify(request, WITH_BASIC), parameters.text(request, "metric")
    limit = parameters.whole(request, "limit") or _METADATA_MAX

    def told(names: list[str]) -> HttpResponse:
        chosen = [name for name in names if metric in ("", name)][:limit]
        return answers.success({name: [_described(name)] for name in chosen})

    return prometheus.label_values(actor, "__name__", limit=0 if metric else limit), told


def _described(metric: str) -> dict[str, str]:
    """What the metric's name says; senders' own descriptions are not kept."""
    return {"type": "counter" if is_counter(metric) else "unknown", "help": "", "unit": unit_of(metric)}


def _nothing(data: Any) -> Callable[[HttpRequest], HttpResponse]:
    def prepare(request: HttpRequest) -> HttpResponse:
        identify(request, WITH_BASIC)
        return answers.success(data)

    return prepare


def _format_query(request: HttpRequest) -> HttpResponse:
    identify(request, WITH_BASIC)
    return answers.success(parse(parameters.text(request, "query")).prettify())


def _buildinfo(request: HttpRequest) -> HttpResponse:
    identify(request, WITH_BASIC)
    build = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
    return answers.success({"version": COMPATIBLE_VERSION, **build, "application": "Quarterdeck"})


query = _endpoint(_query)
query_range = _endpoint(_query_range)
series = _endpoint(_series)
labels = _endpoint(_labels)
label_values = _endpoint(_label_values, methods=("GET", "HEAD"))
metadata = _endpoint(_metadata, methods=("GET", "HEAD"))
format_query = _endpoint(_format_query)
buildinfo = _endpoint(_buildinfo, methods=("GET", "HEAD"))
# There are no rules and no exemplars behind PromQL: the answers are empty, not missing.
query_exemplars = _endpoint(_nothing([]))
rules = _endpoint(_nothing({"groups": []}), methods=("GET", "HEAD"))
alerts = _endpoint(_nothing({"alerts": []}), methods=("GET", "HEAD"))


def healthy(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Prometheus Server is Healthy.\n", content_type="text/plain")
