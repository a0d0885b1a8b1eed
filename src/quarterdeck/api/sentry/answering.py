"""Views of functions that return what is written as JSON; errors are problems, whose `detail` sentry-cli shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from quarterdeck.api import auth, problems
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.errors.artifacts.actions import PROJECT_MAX, Build

Answer = Callable[..., Any]


def view(**methods: Answer) -> Callable[..., HttpResponse]:
    """Make a view: `view(GET=f, POST=g)`, each `f(request, actor, **named)`. None is answered as 204."""

    def answer(request: HttpRequest, **named: Any) -> HttpResponse:
        method = methods.get(request.method or "")
        if method is None:
            response = problems.of_status(request, HttpResponse(status=405))
            response["Allow"] = ", ".join(methods)
            return response
        try:
            found = method(request, auth.identify(request), **named)
        except OpsError as error:
            return problems.of_ops_error(request, error)
        if found is None:
            return HttpResponse(status=204)
        status = 201 if request.method == "POST" and isinstance(found, Made) else 200
        return HttpResponse(orjson.dumps(found), status=status, content_type="application/json")

    # A session's write is checked by `identify`.
    return csrf_exempt(wraps(next(iter(methods.values())))(answer))


class Made(dict[str, Any]):
    """An answer about something that was made: 201."""


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return a request's JSON object. Raises BadInput."""
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            _("The body is no JSON: %(error)s") % {"error": str(error)[:200]}, hint=_("Send an object.")
        ) from None
    if not isinstance(found, dict):
        raise BadInput(_("The body is no JSON object."), hint=_("Send an object."))
    return found


def text_of(body: dict[str, Any], name: str, limit: int = 255) -> str:
    """Return a text of a body, "" where it is not there. Raises BadInput."""
    found = body.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > limit or "\0" in found:
        raise BadInput(
            _("%(name)s is a text of at most %(limit)d characters.") % {"name": name, "limit": limit},
            hint=_("Correct it."),
            field=name,
        )
    return found


def project_of(given: Any) -> int:
    """Return a project's number. Raises BadInput."""
    plain = str(given)
    if not (plain.isascii() and plain.isdecimal()) or len(plain) > 19 or int(plain) > PROJECT_MAX:
        raise BadInput(
            _('"%(name)s" is no project.') % {"name": plain[:60]},
            hint=_("A project is the number at the end of the DSN; set SENTRY_PROJECT to it."),
            field="project",
        )
    return int(plain)


def builds_of(body: dict[str, Any]) -> list[Build]:
    """Return the builds of a body with `projects`, `version` and `dist`. Raises BadInput."""
    given = body.get("projects")
    projects = [project_of(one) for one in (given if isinstance(given, list) else [])[:20]]
    version, dist = text_of(body, "version"), text_of(body, "dist", 64)
    return [Build(project, version, dist) for project in dict.fromkeys(projects)]
