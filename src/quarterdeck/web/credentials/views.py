"""Pages of credentials: a list with the state of their key, one credential, and the forms."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.access.models import Credential
from quarterdeck.access.vault import actions, queries, rotating
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound, OpsError
from quarterdeck.web.credentials.forms import AttachForm, NewCredentialForm, SecretForm, ValuesForm
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

_SHOWN = 500
_KINDS = tuple((str(kind), kind.label) for kind in Credential.Kind)


@require_GET
@page("credentials.view")
def credentials(request: PageRequest) -> HttpResponse:
    context = {
        "credentials": queries.credentials(request.actor)[:_SHOWN],
        "kinds": _KINDS,
        "may_manage": may(request.actor, "credentials.manage"),
        **_state(request.actor),
    }
    return render(request, "web/credentials/list.html", context)


def _state(actor: Actor) -> dict[str, Any]:
    """Return the state of the keys, or why it cannot be told: the list is worth showing without it."""
    try:
        return {"vault": queries.vault_state(actor)}
    except OpsError as error:
        return {"trouble": error}


@require_http_methods(["GET", "HEAD", "POST"])
@page("credentials.manage")
def new(request: PageRequest, kind: str) -> HttpResponseBase:
    if kind not in Credential.Kind.values:
        raise NotFound(_("There is no such kind of credential."), hint=_("See the list of credentials."))
    form = NewCredentialForm(posted(request)[0], kind=kind)
    if form.is_valid():
        with errors_into(form):
            name = _create(request.actor, kind, form)
            messages.success(request, _("The credential is kept. Nobody can read its secret."))
            return redirect("web:credential", name)
    title = dict(_KINDS)[kind]
    return _form(request, form, str(title), _("Keep"), reverse("web:credentials"))


@transaction.atomic
def _create(actor: Actor, kind: str, form: NewCredentialForm) -> str:
    values = form.values()
    made = actions.create_credential(actor, values.pop("name"), kind, form.secret(), values)
    if form.cleaned_data["query"].strip():
        actions.attach(actor, made.name, form.cleaned_data["query"])
    return made.name


def _form(request: PageRequest, form: Any, title: str, action: str, back: str) -> HttpResponse:
    context = {"form": form, "title": title, "action": action, "back": back}
    response = render(request, "web/credentials/form.html", context, status=form_status(form))
    # A key that was refused is in this page again, for who typed it only.
    response.headers["Cache-Control"] = "no-store"
    return response


def _context(request: PageRequest, credential: Credential, **more: Any) -> dict[str, Any]:
    initial = {name: getattr(credential, name) for name in ValuesForm.base_fields}
    attachments = [(one, queries.reach(request.actor, one)) for one in credential.attachments.all()]
    return {
        "credential": credential,
        "form": ValuesForm(initial=initial, kind=credential.kind),
        "attach_form": AttachForm(),
        "attachments": attachments,
        "may_manage": may(request.actor, "credentials.manage"),
        **more,
    }


@require_GET
@page("credentials.view")
def credential(request: PageRequest, name: str) -> HttpResponse:
    found = queries.credential_of(request.actor, name)
    return render(request, "web/credentials/credential.html", _context(request, found))


def _again(request: PageRequest, found: Credential, name: str, form: Any) -> HttpResponse:
    context = _context(request, found, **{name: form})
    return render(request, "web/credentials/credential.html", context, status=form_status(form))


@require_POST
@page("credentials.manage")
def save(request: PageRequest, name: str) -> HttpResponseBase:
    found = queries.credential_of(request.actor, name)
    form = ValuesForm(request.POST, kind=found.kind)
    if form.is_valid():
        with errors_into(form):
            saved = actions.update_credential(request.actor, name, form.values())
            messages.success(request, _("The credential is saved."))
            return redirect("web:credential", saved.name)
    return _again(request, found, "form", form)


@require_http_methods(["GET", "HEAD", "POST"])
@page("credentials.manage")
def replace(request: PageRequest, name: str) -> HttpResponseBase:
    found = queries.credential_of(request.actor, name)
    form = SecretForm(posted(request)[0], kind=found.kind)
    if form.is_valid():
        with errors_into(form):
            actions.update_credential(request.actor, name, {}, form.secret())
            messages.success(request, _("The secret is another from now on."))
            return redirect("web:credential", name)
    title = _("Another secret for %(name)s") % {"name": name}
    return _form(request, form, title, _("Replace the secret"), reverse("web:credential", args=[name]))


@require_POST
@page("credentials.manage")
def delete(request: PageRequest, name: str) -> HttpResponseBase:
    actions.delete_credential(request.actor, name)
    messages.success(request, _("The credential is deleted."))
    return redirect("web:credentials")


@require_POST
@page("credentials.manage")
def attach(request: PageRequest, name: str) -> HttpResponseBase:
    found = queries.credential_of(request.actor, name)
    form = AttachForm(request.POST)
    if form.is_valid():
        with errors_into(form):
            actions.attach(request.actor, name, form.cleaned_data["query"], priority=form.cleaned_data["priority"])
            messages.success(request, _("The credential is attached."))
            return redirect("web:credential", name)
    return _again(request, found, "attach_form", form)


@require_POST
@page("credentials.manage")
def detach(request: PageRequest, name: str, pk: int) -> HttpResponseBase:
    actions.detach(request.actor, name, pk)
    messages.success(request, _("The credential is detached."))
    return redirect("web:credential", name)


@require_POST
@page("credentials.manage")
def rotate(request: PageRequest) -> HttpResponseBase:
    done = rotating.rotate(request.actor)
    text = ngettext(
        "A new key is made; %(n)d credential is under it.", "A new key is made; %(n)d credentials are under it.",
        done.rewrapped,
    )  # fmt: skip
    messages.success(request, text % {"n": done.rewrapped})
    return redirect("web:credentials")
