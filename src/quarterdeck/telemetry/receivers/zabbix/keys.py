"""Item keys, `vfs.fs.size[/,used]`: what they name as a metric.

The metric is the key's name in Prometheus' spelling (`vfs_fs_size`); each parameter that is given becomes a label
(`fs="/", mode="used"`). Labels of keys that Zabbix' agent has are named as its documentation names the parameters
(items.yaml); those of other keys are `param1`, `param2`, ...

See https://www.zabbix.com/documentation/current/en/manual/config/items/item/key
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from quarterdeck.telemetry.receiving import Refused

# What the databases of Zabbix take.
KEY_MAX_CHARACTERS = 2048
_NAME = re.compile(r"[0-9A-Za-z_.-]+")
_NOT_A_NAME = re.compile(r"[^0-9A-Za-z_]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED_QUOTE = re.compile(r'\\"')
# An array of parameters is one parameter, as it is written.
_ARRAY = re.compile(r'\[(?:[^\[\]"]|"(?:[^"\\]|\\.)*")*\]', re.DOTALL)
_BARE = re.compile(r"[^,\]]*")


def parse(key: str) -> tuple[str, tuple[str, ...]]:
    """Return `("vfs.fs.size", ("/", "used"))` of `vfs.fs.size[/,used]`. Raises Refused for what is no key."""
    if len(key) > KEY_MAX_CHARACTERS or "\0" in key:
        raise Refused(f"an item key has at most {KEY_MAX_CHARACTERS} characters", reason="bad_key")
    name = _NAME.match(key)
    if name is None:
        raise Refused("an item key begins with a name", reason="bad_key")
    if name.end() == len(key):
        return key, ()
    if key[name.end()] != "[":
        raise Refused("an item key is a name with parameters in brackets", reason="bad_key")
    return name.group(), tuple(_parameters(key, name.end() + 1))


def _parameters(key: str, at: int) -> list[str]:
    found: list[str] = []
    while True:
        while at < len(key) and key[at] == " ":
            at += 1
        text, at = _parameter(key, at)
        found.append(text)
        while at < len(key) and key[at] == " ":
            at += 1
        if at < len(key) and key[at] == ",":
            at += 1
        elif at == len(key) - 1 and key[at] == "]":
            return found
        else:
            raise Refused("an item key's parameters end with one bracket", reason="bad_key")


def _parameter(key: str, at: int) -> tuple[str, int]:
    start = key[at : at + 1]
    pattern = _QUOTED if start == '"' else _ARRAY if start == "[" else _BARE
    match = pattern.match(key, at)
    if match is None:
        raise Refused("a quote or bracket in an item key is not closed", reason="bad_key")
    if start == '"':
        return _ESCAPED_QUOTE.sub('"', match.group(1)), match.end()
    return match.group(), match.end()


def metric_of(name: str) -> str:
    """Return the metric of a key's name: `system.cpu.load` is `system_cpu_load`."""
    found = _NOT_A_NAME.sub("_", name)
    return f"_{found}" if found[0].isdigit() else found


def labels_of(parameters: Sequence[str], names: Sequence[str]) -> Mapping[str, str]:
    """Return the labels of a key's parameters; those without a value are left out."""
    labels = {}
    for number, value in enumerate(parameters):
        name = names[number] if number < len(names) else f"param{number + 1}"
        if value:
            labels[name] = value
    return labels


def quoted(value: str) -> str:
    """Return `value` as a parameter of a key: in quotes where it must be."""
    if value[:1] in ('"', "[", " ") or any(sign in value for sign in ",]"):
        return '"' + value.replace('"', '\\"') + '"'
    return value
