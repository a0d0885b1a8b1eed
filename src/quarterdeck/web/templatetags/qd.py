"""Tags of the design system; docs/concepts/design-system.md shows each in use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, FileInput, RadioSelect, Select
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from quarterdeck.web import assets, formatting

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """`{% asset "app.css" %}`: the address of a built file."""
    return assets.asset_url(name)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """`{% icon "server" %}`: a drawing beside words. It is hidden from screen readers, so the words must be there.

    A type may come (imported) with an icon that is not in the sprite: a box stands for it.
    """
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        assets.asset_url("icons.svg"),
        name if name in assets.drawn_icons() else "box",
    )


@register.filter
def with_code(text: str) -> SafeString:
    """`{{ row.help|with_code }}`: what stands between backticks becomes code."""
    parts = str(text).split("`")
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in enumerate(parts))
    )


@register.simple_tag
def when(moment: datetime | None, style: str = "relative") -> SafeString | str:
    """`{% when item.last_seen %}`: relative, absolute with zone on hover; `"absolute"` the other way round; `"date"`
    the day alone, for what is far ahead."""
    if moment is None:
        return formatting.NOTHING
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment, UTC)
    utc = aware.astimezone(UTC)
    return format_html(
        '<time datetime="{}"{}>{}</time>',
        utc.isoformat(timespec="milliseconds"),
        SafeString({"relative": " data-relative", "date": " data-date"}.get(style, "")),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
    )


_STATE_TONES = {
    "running": "good",
    "starting": "info",
    "pending": "info",
    "stopping": "warn",
    "suspended": "warn",
    "error": "bad",
    "stopped": "idle",
    "terminated": "idle",
    "active": "good",
    "approved": "good",
    "refused": "bad",
    "missing": "warn",
    "absent": "bad",
    "retired": "idle",
    "trashed": "idle",
    "complete": "good",
    "ok": "good",
    "ready": "good",
    "done": "good",
    "partial": "warn",
    "held": "warn",
    "warning": "warn",
    "failed": "bad",
    "denied": "bad",
    "succeeded": "good",
    "changed": "info",
    "queued": "info",
    "started": "good",
    "missed": "warn",
    "waiting": "info",
    "paused": "warn",
    "approval": "warn",
    "cancelling": "warn",
    "lost": "warn",
    "unreachable": "bad",
    "critical": "bad",
}


@register.filter
def tone(code: str) -> str:
    """Return the tone of a state: good, info, warn, bad or idle."""
    return _STATE_TONES.get(str(code), "idle")


@register.simple_tag
def state(code: str, title: str = "") -> SafeString:
    """`{% state item.state item.get_state_display %}`: a dot, a colour and the word."""
    hollow = " hollow" if tone(code) == "idle" else ""
    return format_html('<span class="qd-state is-{}{}">{}</span>', tone(code), hollow, title or _(str(code)))


@register.simple_tag
def meter(ratio: float | None, label: str, css: str = "") -> SafeString | str:
    """`{% meter 0.42 "CPU" %}`: a small bar for a ratio, 0 to 1; amber from 80 %, red from 95 %."""
    if ratio is None:
        return formatting.NOTHING
    level = "bad" if ratio >= 0.95 else "warn" if ratio >= 0.8 else ""
    return format_html(
        '<progress class="qd-meter {} {}" max="100" value="{}" aria-label="{}"></progress>',
        level,
        css,
        f"{min(max(ratio, 0), 1) * 100:.1f}",
        label,
    )


register.filter("bytes", formatting.in_bytes)
register.filter("percent", formatting.as_percent)
register.filter("duration", formatting.duration)
register.filter("capital", formatting.capital)
register.filter("with_unit", formatting.with_unit)
register.filter("plain", formatting.plain)
register.filter("visible", formatting.visible)
register.filter("nanoseconds", formatting.nanoseconds)
register.filter("signed_nanoseconds", formatting.signed_nanoseconds)
register.filter("code", formatting.as_code)
register.filter("pretty_json", formatting.pretty_json)
register.filter("how_many_items", formatting.how_many_items)


@register.filter
def moment(value: object, style: str = "absolute") -> SafeString | str:
    """`{{ "2026-01-02T03:04:05Z"|moment }}`: a time that came as JSON text; other text stays as it is."""
    try:
        found = parse_datetime(str(value))
    except ValueError:
        found = None
    return when(found, style) if found else formatting.plain(value)


@register.filter
def safe_link(value: object) -> str:
    """Return a web address to link to; whatever would run or read something instead becomes "#"."""
    text = str(value)
    return text if urlsplit(text).scheme in ("http", "https") else "#"


@register.filter
def get(mapping: dict[str, Any] | None, key: str) -> Any:
    """`{{ values|get:code }}`: a value by a key that is itself a variable."""
    return (mapping or {}).get(key)


def _widget_class(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        return "form-check-input"
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return ""
    if isinstance(widget, Select):
        return "form-select"
    return "form-control"


def _describing(field: BoundField) -> str:
    """Return the ids of what explains the field, for `aria-describedby`."""
    ids = [f"{field.auto_id}_error"] if field.errors else []
    return " ".join([*ids, f"{field.auto_id}_hint"] if field.help_text else ids)


@register.inclusion_tag("web/components/field.html")
def field(bound: BoundField, label: str = "", wide: bool = True) -> dict[str, Any]:
    """`{% field form.name %}`: label, widget, hint and errors of one form field."""
    widget = bound.field.widget
    attributes: dict[str, Any] = {**widget.attrs}
    attributes["class"] = " ".join(
        filter(None, [widget.attrs.get("class", ""), _widget_class(bound), "is-invalid" if bound.errors else ""])
    )
    if described := _describing(bound):
        attributes["aria-describedby"] = described
    return {
        "field": bound,
        "label": label or bound.label,
        "widget": bound.as_widget(attrs=attributes),
        "hidden_initial": bound.as_hidden(only_initial=True) if bound.field.show_hidden_initial else "",
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": isinstance(widget, RadioSelect | CheckboxSelectMultiple),
        "is_file": isinstance(widget, FileInput),
        "wide": wide,
    }


@register.inclusion_tag("web/components/fields.html")
def fields(form: Any) -> dict[str, Any]:
    """`{% fields form %}`: every field of a form, in order, with what is wrong with the whole on top."""
    return {"form": form}


@register.inclusion_tag("web/components/sort_head.html", takes_context=True)
def sort_head(context: template.Context, code: str, title: str, css: str = "") -> dict[str, Any]:
    """`{% sort_head "name" _("Name") %}`: a column head that sorts; again turns it round. Reads `sort` (“-name”)."""
    current = str(context.get("sort") or "")
    direction = "descending" if current == f"-{code}" else "ascending" if current == code else ""
    return {
        "request": context["request"],
        "title": title,
        "css": css,
        "direction": direction,
        "next_sort": f"-{code}" if direction == "ascending" else code,
    }
