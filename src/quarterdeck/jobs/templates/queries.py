"""What templates there are, of this instance's and of the library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import may, require
from quarterdeck.audit.actor import Actor
from quarterdeck.core import yamls
from quarterdeck.core.errors import NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.runs.actions import shown_around
from quarterdeck.jobs.templates.models import Template

VERB = "jobs.view"


def templates(actor: Actor) -> QuerySet[Template]:
    """Return all, by name. Raises Denied."""
    require(actor, VERB)
    return Template.objects.order_by("name")


def template_of(actor: Actor, name: str) -> Template:
    """Raises Denied, NotFound."""
    found = templates(actor).filter(name=name).first()
    if found is None:
        near = did_you_mean(name, Template.objects.values_list("name", flat=True))
        raise NotFound(_('there is no template "%(name)s"') % {"name": name[:60]}, hint=near or "qd templates list")
    return found


def definition_of(actor: Actor, template: Template) -> dict[str, Any]:
    """Return the definition, whole for who may change it: others see of its variables the names."""
    return template.definition if may(actor, "jobs.templates") else shown_around(template.definition)


@dataclass(frozen=True, slots=True)
class LibraryTemplate:
    """A template that comes with the product, ready to be taken; `text` is its file."""

    name: str
    definition: dict[str, Any]
    text: str


def library(actor: Actor) -> list[LibraryTemplate]:
    """Return the templates that come with the product, by name. Raises Denied."""
    require(actor, VERB)
    return list(_library())


def library_template(actor: Actor, name: str) -> LibraryTemplate:
    """Raises Denied, NotFound."""
    known = {one.name: one for one in library(actor)}
    if name not in known:
        raise NotFound(
            _('the library has no template "%(name)s"') % {"name": name[:60]},
            hint=did_you_mean(name, known) or ", ".join(known),
        )
    return known[name]


@cache
def _library() -> tuple[LibraryTemplate, ...]:
    folder = files("quarterdeck.jobs.templates.library")
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name)
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        definition: Any = yamls.load(text, path.name)
        found.append(LibraryTemplate(str(definition.pop("name")), definition, text))
    return tuple(found)
