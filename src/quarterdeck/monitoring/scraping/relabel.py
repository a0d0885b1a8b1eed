"""Relabelling: rules that choose targets and series, and rewrite their labels.

See https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import re2

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean

Labels = dict[str, str]
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
# Go's Expand: $name is the longest word, ${name} exactly that, $$ a dollar sign.
_TEMPLATE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)
_KEYS = frozenset({"source_labels", "separator", "target_label", "regex", "modulus", "replacement", "action"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `relabel_configs`; `pattern` is RE2 and matches the whole value, `regex` is made of it."""

    action: str
    source: tuple[str, ...] = ()
    separator: str = ";"
    target: str = ""
    pattern: str = "(.*)"
    modulus: int = 0
    replacement: str = "$1"
    regex: Any = field(default=None, compare=False, repr=False)


def rules_of(found: object, place: str) -> tuple[Rule, ...]:
    """Read a list as YAML gives it. Raises BadInput, which names the place."""
    if found is None:
        return ()
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise BadInput(f"{place} is no list", hint="a list of rules", field=place)
    return tuple(_rule(one, f"{place}[{number}]") for number, one in enumerate(found))


def _rule(found: object, place: str) -> Rule:
    if not isinstance(found, Mapping):
        raise BadInput(f"{place} is no table", hint="for example action: keep", field=place)
    for key in found:
        if key not in _KEYS:
            raise BadInput(f'{place}: unknown key "{key}"', hint=did_you_mean(str(key), _KEYS), field=place)
    action = str(found.get("action", "replace")).lower()
    if action not in _ACTIONS:
        raise BadInput(f'{place}: unknown action "{action}"', hint=did_you_mean(action, _ACTIONS), field=place)
    pattern = str(found.get("regex", "(.*)"))
    rule = Rule(
        action,
        tuple(map(str, found.get("source_labels") or ())),
        str(found.get("separator", ";")),
        str(found.get("target_label") or ""),
        pattern,
        _modulus(found.get("modulus", 0), place),
        str(found.get("replacement", "$1")),
        _regex(pattern, place),
    )
    if action in ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal") and not rule.target:
        raise BadInput(f"{place}: {action} needs a target_label", hint="name the label", field=place)
    if action == "hashmod" and rule.modulus < 1:
        raise BadInput(f"{place}: hashmod needs a modulus", hint="a whole number from 1", field=place)
    return rule


def _modulus(found: object, place: str) -> int:
    if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
        return found
    raise BadInput(f"{place}: modulus is {found!r}", hint="a whole number from 1", field=place)


def _regex(text: str, place: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"^(?:{text})$", options)
    except re2.error as error:
        raise BadInput(f'{place}: "{text[:200]}" is no regular expression: {error}', hint="RE2", field=place) from error


def relabelled(labels: Mapping[str, str], rules: Sequence[Rule]) -> Labels | None:
    """Return the labels after all rules, None for what a rule drops. Empty labels count as missing."""
    found = dict(labels)
    for rule in rules:
        value = rule.separator.join(found.get(name, "") for name in rule.source)
        if not _ACTIONS[rule.action](rule, value, found):
            return None
    return {name: value for name, value in found.items() if value}


def _expanded(match: Any, template: str) -> str:
    """Put the groups into the template; a group that there is not is empty, as in Go."""

    def group(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        name = found[2] or found[3]
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError, re2.error):
            return ""

    return _TEMPLATE.sub(group, template)


def _replace(rule: Rule, value: str, labels: Labels) -> bool:
    match = rule.regex.match(value)
    if match is None:
        return True
    target = _expanded(match, rule.target)
    if _LABEL.match(target):
        labels[target] = _expanded(match, rule.replacement)
    return True


def _keep(rule: Rule, value: str, labels: Labels) -> bool:
    return rule.regex.match(value) is not None


def _drop(rule: Rule, value: str, labels: Labels) -> bool:
    return rule.regex.match(value) is None


def _keep_equal(rule: Rule, value: str, labels: Labels) -> bool:
    return value == labels.get(rule.target, "")


def _drop_equal(rule: Rule, value: str, labels: Labels) -> bool:
    return value != labels.get(rule.target, "")


def _hash_modulus(rule: Rule, value: str, labels: Labels) -> bool:
    digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
    labels[rule.target] = str(int.from_bytes(digest[8:], "big") % rule.modulus)
    return True


def _lowercase(rule: Rule, value: str, labels: Labels) -> bool:
    labels[rule.target] = value.lower()
    return True


def _uppercase(rule: Rule, value: str, labels: Labels) -> bool:
    labels[rule.target] = value.upper()
    return True


def _label_map(rule: Rule, value: str, labels: Labels) -> bool:
    for name, one in list(labels.items()):
        if match := rule.regex.match(name):
            labels[_expanded(match, rule.replacement)] = one
    return True


def _label_drop(rule: Rule, value: str, labels: Labels) -> bool:
    for name in [name for name in labels if rule.regex.match(name)]:
        del labels[name]
    return True


def _label_keep(rule: Rule, value: str, labels: Labels) -> bool:
    for name in [name for name in labels if not rule.regex.match(name)]:
        del labels[name]
    return True


_ACTIONS: Mapping[str, Callable[[Rule, str, Labels], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash_modulus,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
}
