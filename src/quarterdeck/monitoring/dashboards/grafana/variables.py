"""Grafana's templating variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.dashboards.checking import DURATION, pattern_of
from quarterdeck.monitoring.dashboards.grafana.values import mapping, mappings, text

Say = Callable[[str], None]
_LABEL_VALUES = re.compile(
    r"\s*label_values\(\s*(?:(?P<selector>.+?)\s*,\s*)?(?P<label>[A-Za-z_]\w*)\s*\)\s*", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_]\w{0,59}")
_ALL = ("$__all", "All")


def variable_of(found: dict[str, Any], say: Say) -> dict[str, Any] | None:
    """Return our variable, None where it is not taken and `say` has told why."""
    kind, name = text(found.get("type")), text(found.get("name"))
    if kind == "datasource":
        # There is one source of figures: ours.
        return None
    if not _NAME.fullmatch(name):
        say(_("the name cannot be a variable's"))
        return None
    work = _KINDS.get(kind)
    own = work(found, say) if work else None
    if own is None:
        if work is None:
            say(_('variables of the kind "%(kind)s" are not taken') % {"kind": kind})
        return None
    return {"name": name, **_shared(found), **own}


def _shared(found: dict[str, Any]) -> dict[str, Any]:
    chosen = mapping(found.get("current")).get("value")
    default = [text(one) for one in (chosen if isinstance(chosen, list) else [chosen])]
    return {
        "title": text(found.get("label")),
        "multi": found.get("multi") is True,
        "all": found.get("includeAll") is True,
        "all_value": text(found.get("allValue")),
        "hidden": found.get("hide") in (2, "hideVariable"),
        "default": [one for one in default if one and one not in _ALL and not one.startswith("$__auto")],
    }


def _of_query(found: dict[str, Any], say: Say) -> dict[str, Any] | None:
    asked = found.get("query")
    query = text(mapping(asked).get("query") if isinstance(asked, dict) else asked, 20_000)
    matched = _LABEL_VALUES.fullmatch(query)
    if matched is None:
        say(_('only label_values(...) is understood, not "%(query)s"') % {"query": query[:80]})
        return None
    return {
        "kind": "labels",
        "query": matched["selector"] or "",
        "label": matched["label"],
        "regex": _regex(text(found.get("regex")), say),
        # Grafana keeps what it had found: another fleet's names.
        "default": [],
    }


def _regex(written: str, say: Say) -> str:
    """Return the pattern of `/pattern/flags`."""
    matched = re.fullmatch(r"/(.*)/[a-z]*", written, re.DOTALL)
    pattern = matched[1] if matched else written
    if pattern:
        try:
            pattern_of(pattern)
        except BadInput:
            say(_('the regular expression "%(text)s" is left out: RE2 does not take it') % {"text": pattern[:80]})
            return ""
    return pattern


def _options(found: dict[str, Any]) -> list[str]:
    """The values of `a, b, name : c`."""
    listed = [part.strip() for part in re.split(r"(?<!\\),", text(found.get("query"), 20_000)) if part.strip()]
    if not listed:
        listed = [text(option.get("value")) for option in mappings(found.get("options"))]
    values = [re.split(r"\s+:\s+", part, maxsplit=1)[-1].replace("\\,", ",") for part in listed]
    return [value[:255] for value in values if value and value not in _ALL][:1000]


def _of_custom(found: dict[str, Any], say: Say) -> dict[str, Any]:
    return {"kind": "custom", "options": _options(found)}


def _of_interval(found: dict[str, Any], say: Say) -> dict[str, Any]:
    options = [option for option in _options(found) if DURATION.fullmatch(option)]
    if found.get("auto") is True:
        say(_("the choice “auto” is left out; $__interval does the same"))
    return {"kind": "interval", "options": options or ["5m"]}


def _of_constant(found: dict[str, Any], say: Say) -> dict[str, Any]:
    value = text(found.get("query"))
    return {"kind": "custom", "options": [value], "default": [value], "hidden": True}


def _of_text(found: dict[str, Any], say: Say) -> dict[str, Any]:
    return {"kind": "text", "default": [text(found.get("query"))]}


_KINDS: dict[str, Callable[[dict[str, Any], Say], dict[str, Any] | None]] = {
    "query": _of_query,
    "custom": _of_custom,
    "interval": _of_interval,
    "constant": _of_constant,
    "textbox": _of_text,
}
