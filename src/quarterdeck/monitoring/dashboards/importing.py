"""Files of dashboards: our YAML, Grafana's JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.text import slugify
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.core.yamls import load
from quarterdeck.monitoring.dashboards.actions import checked_dashboard, free_slug, save_dashboard
from quarterdeck.monitoring.dashboards.grafana import Note, is_grafana, read_grafana
from quarterdeck.monitoring.dashboards.models import Dashboard


@dataclass(frozen=True, slots=True)
class Taken:
    """`result` is "made", "changed" or "unchanged"; `notes` say what of Grafana's file could not be taken."""

    dashboard: Dashboard
    result: str
    notes: list[Note]


def import_text(actor: Actor, content: bytes, name: str, *, slug: str = "") -> Taken:
    """Make a dashboard of a file, or a new version of the one with its short name. Raises Denied, BadInput."""
    values = _read(content)
    return import_values(actor, values, name, slug=slug)


def _read(content: bytes) -> object:
    try:
        # JSON is YAML, but its own reader is a thousand times as fast.
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return load(_text(content), _("the file"), may_have_aliases=False)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            _("the file is no text"), hint=_("export it again, and take it as it is"), field="file"
        ) from error


def import_values(
    actor: Actor, values: Any, name: str = "", *, slug: str = "", note: str = "", is_dry: bool = False
) -> Taken:
    """The same with what a file holds. `is_dry` saves nothing."""
    if not isinstance(values, dict):
        raise BadInput(_("the file holds no dashboard"), hint=_("docs/guides/dashboards.md shows one"), field="file")
    notes: list[Note] = []
    if is_grafana(values):
        imported = read_grafana(values)
        definition, notes = imported.definition, imported.notes
        wanted = slug or _slug_of(definition["title"]) or free_slug("")
    else:
        definition = dict(values)
        wanted = slug or str(definition.pop("slug", "")) or _slug_of(re.sub(r"\.\w+$", "", name)) or free_slug("")
        definition.pop("slug", None)
    before = Dashboard.objects.filter(slug=wanted).values_list("version", flat=True).first()
    if is_dry:
        dashboard = checked_dashboard(actor, wanted, definition)
    else:
        dashboard = save_dashboard(actor, wanted, definition, note=note or _("from a file"))
    result = "made" if before is None else "unchanged" if dashboard.version == before else "changed"
    return Taken(dashboard, result, notes)


def _slug_of(text: str) -> str:
    return slugify(text)[:60].strip("-_")
