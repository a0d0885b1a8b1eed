"""The types editor: what kinds of items there are, and their attributes."""

from __future__ import annotations

import difflib
from itertools import groupby
from types import MappingProxyType
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.inventory.actions import (
    export_types,
    import_types,
    remove_attribute,
    remove_type,
    set_attribute,
    set_type,
)
from quarterdeck.inventory.actions.types import COMMON
from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec, catalogue
from quarterdeck.web.assets import icon_names
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.types import usage
from quarterdeck.web.types.forms import AttributeForm, ImportTypesForm, TypeForm

EVERY = "-"


def _type(code: str) -> TypeSpec:
    """Return the type, or for "-" what stands for every type: its attributes are those that all types have."""
    found = _every_type() if code == EVERY else catalogue().types.get(code)
    if found is None:
        raise NotFound(_('There is no type "%(code)s".') % {"code": code}, hint=_("See the list of types."))
    return found


def _every_type() -> TypeSpec:
    fields = (spec for specs in catalogue().fields.values() for spec in specs if not spec.type)
    common = sorted(fields, key=lambda spec: (spec.position, spec.code))
    attributes = MappingProxyType({spec.code: spec for spec in common})
    return TypeSpec(0, EVERY, "Every type", "所有类型", "", "category", "", True, 0, attributes)


def _is_own(kind: TypeSpec, attribute: AttributeSpec) -> bool:
    return bool(attribute.type) or kind.code == EVERY


def _owner(code: str) -> str:
    """Return what the inventory's actions call the owner of an attribute."""
    return COMMON if code == EVERY else code


def _attribute(kind: TypeSpec, code: str) -> AttributeSpec:
    found = kind.attributes.get(code)
    if found is None or not _is_own(kind, found):
        raise NotFound(
            _('Type "%(type)s" has no attribute "%(code)s" of its own.') % {"type": kind.code, "code": code},
            hint=_("See the type's list of attributes."),
        )
    return found


@require_GET
@page("inventory.view")
def types(request: PageRequest) -> HttpResponse:
    """All types, in their groups, with how many items each has."""
    counts = usage.items_by_type(request.actor)
    specs = sorted(catalogue().types.values(), key=lambda spec: (spec.group, spec.title.lower()))
    groups = [
        (group, [{"spec": spec, "items": counts.get(spec.code, 0)} for spec in members])
        for group, members in groupby(specs, key=lambda spec: spec.group)
    ]
    context = {"groups": groups, "may_edit": may(request.actor, "inventory.types")}
    return render(request, "web/types/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def new_type(request: PageRequest) -> HttpResponseBase:
    form = TypeForm(posted(request)[0], initial={"icon": "box", "group": request.GET.get("group", "other")})
    if form.is_valid():
        with errors_into(form):
            if form.cleaned_data["code"] in catalogue().types:
                raise BadInput(_("There is a type with this code already."), field="code")
            set_type(request.actor, form.spec())
            messages.success(request, _("The type is made. Now give it attributes."))
            return redirect("web:type", form.cleaned_data["code"])
    return _type_form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def edit_type(request: PageRequest, code: str) -> HttpResponseBase:
    spec = _type(code)
    if code == EVERY:
        raise NotFound(_("This is no type of its own."), hint=_("Change its attributes instead."))
    form = TypeForm(posted(request)[0], of=spec)
    if form.is_valid():
        with errors_into(form):
            set_type(request.actor, form.spec())
            messages.success(request, _("The type is saved."))
            return redirect("web:type", code)
    return _type_form(request, form, spec)


@require_POST
@page("inventory.types")
def delete_type(request: PageRequest, code: str) -> HttpResponseBase:
    """Remove a type that no item has; the action refuses any other."""
    remove_type(request.actor, _type(code).code)
    messages.success(request, _('Type "%(code)s" is removed.') % {"code": code})
    return redirect("web:types")


def _type_form(request: PageRequest, form: TypeForm, spec: TypeSpec | None) -> HttpResponse:
    groups = sorted({kind.group for kind in catalogue().types.values()})
    context: dict[str, Any] = {"form": form, "spec": spec, "icons": icon_names(), "groups": groups}
    if spec is not None:
        context["used_by"] = usage.items_of(spec.code)
    return render(request, "web/types/type_form.html", context, status=form_status(form))


@require_GET
@page("inventory.view")
def type_page(request: PageRequest, code: str) -> HttpResponse:
    """One type: its own attributes, and below them those that every type has."""
    spec = _type(code)
    attributes = list(spec.attributes.values())
    context = {
        "spec": spec,
        "own": [attribute for attribute in attributes if _is_own(spec, attribute)],
        "common": [attribute for attribute in attributes if not _is_own(spec, attribute)],
        "is_every": code == EVERY,
        "items": usage.items_by_type(request.actor).get(code, 0),
        "may_edit": may(request.actor, "inventory.types"),
    }
    return render(request, "web/types/type.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def new_attribute(request: PageRequest, code: str) -> HttpResponseBase:
    spec = _type(code)
    last = max((attribute.position for attribute in spec.attributes.values()), default=0)
    form = AttributeForm(posted(request)[0], initial={"position": last + 10})
    if form.is_valid():
        with errors_into(form):
            if form.cleaned_data["code"] in spec.attributes:
                raise BadInput(_("This type has an attribute with this code already."), field="code")
            set_attribute(request.actor, _owner(code), form.spec())
            messages.success(request, _("The attribute is added."))
            return redirect("web:type", code)
    return _attribute_form(request, form, spec, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def edit_attribute(request: PageRequest, code: str, attribute: str) -> HttpResponseBase:
    spec = _type(code)
    found = _attribute(spec, attribute)
    form = AttributeForm(posted(request)[0], of=found)
    if form.is_valid():
        with errors_into(form):
            set_attribute(request.actor, _owner(code), form.spec())
            messages.success(request, _("The attribute is saved."))
            return redirect("web:type", code)
    return _attribute_form(request, form, spec, found)


def _attribute_form(
    request: PageRequest, form: AttributeForm, spec: TypeSpec, attribute: AttributeSpec | None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "spec": spec, "attribute": attribute}
    if attribute is not None:
        context["used_by"] = usage.items_with(attribute.type, attribute.code)
    return render(request, "web/types/attribute_form.html", context, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def delete_attribute(request: PageRequest, code: str, attribute: str) -> HttpResponseBase:
    """Ask first, with how many items lose a value; the code typed once more when there are any."""
    spec = _type(code)
    found = _attribute(spec, attribute)
    used_by = usage.items_with(found.type, attribute)
    wrong = ""
    if request.method == "POST":
        if not used_by or request.POST.get("confirm", "") == attribute:
            remove_attribute(request.actor, _owner(code), attribute)
            messages.success(request, _('Attribute "%(code)s" is removed.') % {"code": attribute})
            return redirect("web:type", code)
        wrong = _('Type "%(code)s" to confirm.') % {"code": attribute}
    context = {"spec": spec, "attribute": found, "used_by": used_by, "wrong": wrong}
    return render(request, "web/types/attribute_remove.html", context, status=422 if wrong else 200)


@require_POST
@page("inventory.types")
def move_attribute(request: PageRequest, code: str, attribute: str) -> HttpResponseBase:
    """Move an attribute one place up or down among the type's own."""
    spec = _type(code)
    own = [each for each in spec.attributes.values() if _is_own(spec, each)]
    at = own.index(_attribute(spec, attribute))
    to = at - 1 if request.POST.get("direction") == "up" else at + 1
    if 0 <= to < len(own):
        own.insert(to, own.pop(at))
        _renumber(request.actor, code, own)
    return redirect("web:type", code)


def _renumber(actor: Actor, code: str, own: list[AttributeSpec]) -> None:
    with transaction.atomic():
        for place, attribute in enumerate(own, 1):
            if attribute.position != place * 10:
                set_attribute(actor, _owner(code), {"code": attribute.code, "position": place * 10})


@require_GET
@page("inventory.view")
def export_page(request: PageRequest) -> HttpResponse:
    """All types and attributes as a YAML file."""
    response = HttpResponse(export_types(), content_type="application/yaml; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="quarterdeck-types.yaml"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@page("inventory.types")
def import_page(request: PageRequest) -> HttpResponseBase:
    """Read types from YAML: first what would change, then, by another button, the change."""
    form = ImportTypesForm(*posted(request))
    preview: list[dict[str, str]] | None = None
    if form.is_valid():
        text = form.cleaned_data["text"]
        with errors_into(form):
            if request.POST.get("step") == "apply":
                import_types(request.actor, text)
                messages.success(request, _("The types are imported."))
                return redirect("web:types")
            preview = _preview(request.actor, text)
            form = ImportTypesForm(initial={"text": text})
    context = {"form": form, "preview": preview}
    return render(request, "web/types/import.html", context, status=form_status(form))


def _preview(actor: Actor, text: str) -> list[dict[str, str]]:
    """Return the lines by which the exported YAML would differ: `[{"kind": "add", "text": "..."}]`.

    The import is really made and then rolled back, so that the preview cannot differ from the import.
    """
    before = export_types()
    with transaction.atomic():
        import_types(actor, text)
        after = export_types()
        transaction.set_rollback(True)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    kinds = {"+": "add", "-": "drop", "@": "place"}
    return [{"kind": kinds.get(line[:1], "same"), "text": line} for line in list(lines)[2:]]
