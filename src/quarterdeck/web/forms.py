"""What the forms of all pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from quarterdeck.core.errors import Denied, OpsError, Unauthenticated
from quarterdeck.web.formatting import in_sentences

T = TypeVar("T")


@contextmanager
def errors_into(form: forms.Form) -> Iterator[None]:
    """Turn an OpsError of an action into an error of `form`, at its field if it has it, so that the input stays.

    That the actor may not do it at all is no matter of input, and goes on to the error page.
    """
    try:
        yield
    except (Denied, Unauthenticated):
        raise
    except OpsError as error:
        form.add_error(error.field if error.field in form.fields else None, in_sentences(error.message, error.hint))


def is_saved(form: forms.Form, save: Callable[[dict[str, Any]], object]) -> bool:
    """Give what a valid form holds to `save`; return whether it was taken. What was wrong stands in the form then."""
    if form.is_valid():
        with errors_into(form):
            save(dict(form.cleaned_data))
    return form.is_valid()


def chosen(found: Iterable[T], name: str, value: str) -> T | None:
    """Return the one of a list that the address names, for the form that changes it."""
    return next((one for one in found if str(getattr(one, name)) == value), None)


def form_status(form: forms.BaseForm) -> int:
    """Return 422 for a form with errors, else 200."""
    return 422 if form.is_bound and form.errors else 200


def next_of(request: HttpRequest, default: str) -> str:
    """Return the `next` that came with the request if it stays on this host, else `default`.

    See https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html
    """
    wanted = str(request.POST.get("next") or request.GET.get("next") or "")
    allowed = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if allowed else default


def posted(request: HttpRequest) -> tuple[Any, Any]:
    """Return what a form is bound to: the posted data and files, or nothing on GET."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)
