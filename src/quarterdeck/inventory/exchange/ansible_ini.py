"""Ansible's INI inventories. See https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html

web[01:03].example.com ansible_port=22 tags="['a', 'b']"      a range, then variables as Python literals or text
[web:vars]     variables of a group
[all:children] groups in a group
"""

from __future__ import annotations

import ast
import re
import shlex
import string
from collections.abc import Iterator

from django.utils.translation import gettext as _

from quarterdeck.inventory.exchange.ansible_model import Inventory
from quarterdeck.inventory.exchange.records import BadRow

_SECTION = re.compile(r"^\[([^:\]\s]+)(?::(hosts|vars|children))?\]\s*(?:[#;].*)?$")
_RANGE = re.compile(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]")
_PORT = re.compile(r"^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):([0-9]{1,5})$")
_MAX_RANGE = 100_000


def literal(text: str) -> object:
    """A value as ansible reads it: a Python literal, else the text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str | int | float | bool | list | dict | tuple | None) else text


def expand(pattern: str) -> Iterator[str]:
    """Yield the names of `web[01:10:2].[a:c]`. Raises ValueError when a range runs backwards or too far."""
    match = _RANGE.search(pattern)
    if match is None:
        yield pattern
        return
    first, last, step = match[1], match[2], int(match[3] or 1)
    for middle in _steps(first, last, step):
        for rest in expand(pattern[match.end() :]):
            yield f"{pattern[: match.start()]}{middle}{rest}"


def _steps(first: str, last: str, step: int) -> list[str]:
    if first.isdigit() and last.isdigit():
        if first[0] == "0" and len(first) > 1 and len(first) != len(last):
            raise ValueError(_("a range with leading zeros needs ends of equal length"))
        values = range(int(first), int(last) + 1, step or 1)
        width = len(first) if first[0] == "0" else 0
        if len(values) > _MAX_RANGE:
            raise ValueError(_("a range of more than %(n)d names") % {"n": _MAX_RANGE})
        found = [str(value).zfill(width) for value in values]
    else:
        letters = string.ascii_letters
        found = (
            list(letters[letters.index(first) : letters.index(last) + 1 : step or 1])
            if not (first + last).isdigit()
            else []
        )
    if not found:
        raise ValueError(_("a range that holds no names"))
    return found


def read_ini(text: str, where: str, inventory: Inventory, problems: list[BadRow]) -> None:
    """Add the hosts, groups and variables of an INI text. A line that is wrong becomes a problem; the others count."""
    group, kind = "ungrouped", "hosts"
    for row, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and (section := _SECTION.match(line)):
            group, kind = section[1], section[2] or "hosts"
            inventory.group(group)
            continue
        try:
            _read_line(line, row, group, kind, inventory)
        except (ValueError, SyntaxError) as error:
            problems.append(
                BadRow(
                    row, "", _('%(where)s: "%(line)s": %(error)s') % {"where": where, "line": line[:80], "error": error}
                )
            )


def _read_line(line: str, row: int, group: str, kind: str, inventory: Inventory) -> None:
    if kind == "vars":
        name, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not name:
            raise ValueError(_("expected name=value"))
        inventory.group(group).variables[name] = literal(value)
    elif kind == "children":
        child = shlex.split(line, comments=True)[0]
        inventory.group(child)
        inventory.group(group).children[child] = None
    else:
        words = shlex.split(line, comments=True)
        variables = dict(_pair(word) for word in words[1:])
        for name, port in _hosts(words[0]):
            inventory.add_host(name, row, group, {**port, **variables})


def _pair(word: str) -> tuple[str, object]:
    name, separator, value = word.partition("=")
    if not separator or not name:
        raise ValueError(_('expected name=value, found "%(word)s"') % {"word": word})
    return name, literal(value)


def _hosts(pattern: str) -> Iterator[tuple[str, dict[str, object]]]:
    port: dict[str, object] = {}
    if match := _PORT.match(pattern):
        pattern, port = match[1] or match[2], {"ansible_port": int(match[3])}
    if not pattern:
        raise ValueError(_("a host without a name"))
    for name in expand(pattern):
        yield name, port


def write_value(value: object) -> str:
    """A value as one word of a host's line, so that `literal` gives it back."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_/][\w./-]*", value, re.ASCII) and literal(value) == value:
        return value
    return shlex.quote(repr(value))
