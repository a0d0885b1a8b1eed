"""Many names in one: `web[01:50].example`, `10.0.[0:3].[1:254]`, `db[a:c,x]`.

A pure part of the command line and the API; the range is Ansible's, the comma joins ranges and single values.
See https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#adding-ranges-of-hosts
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

MAX_NAMES = 10_000
_PART = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?")
_LETTERS = re.compile(r"([a-z]):([a-z])|([A-Z]):([A-Z])")
_SINGLE = re.compile(r"[A-Za-z0-9_-]+")


def expanded(pattern: str) -> list[str]:
    """Return the names that a pattern stands for, in order. Raises BadInput.

    Numbers keep the width of the first: `[08:10]` is 08, 09, 10. `[1:9:2]` goes in steps.
    """
    pieces = _PART.split(pattern)
    if "[" in "".join(pieces[::2]) or "]" in "".join(pieces[::2]):
        raise _wrong(pattern, _("a bracket is not closed"))
    choices = [[piece] if index % 2 == 0 else list(_values(pattern, piece)) for index, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
        if count > MAX_NAMES:
            raise _wrong(pattern, _("these are more than %(limit)d names") % {"limit": MAX_NAMES})
    names = ["".join(parts) for parts in product(*choices)]
    if not all(names):
        raise _wrong(pattern, _("it is empty"))
    return names


def _values(pattern: str, text: str) -> Iterator[str]:
    for part in text.split(","):
        if numbers := _NUMBERS.fullmatch(part):
            yield from _numbers(pattern, *numbers.groups())
        elif letters := _LETTERS.fullmatch(part):
            first, last = (letter for letter in letters.groups() if letter)
            if first > last:
                raise _wrong(pattern, _("[%(text)s] runs backwards") % {"text": part})
            yield from map(chr, range(ord(first), ord(last) + 1))
        elif _SINGLE.fullmatch(part):
            yield part
        else:
            raise _wrong(pattern, _("[%(text)s] is no range") % {"text": text})


def _numbers(pattern: str, first: str, last: str, step: str | None) -> Iterator[str]:
    if int(first) > int(last) or step == "0":
        raise _wrong(pattern, _("[%(text)s] runs backwards") % {"text": f"{first}:{last}"})
    numbers = range(int(first), int(last) + 1, int(step or 1))
    if len(numbers) > MAX_NAMES:
        raise _wrong(pattern, _("these are more than %(limit)d names") % {"limit": MAX_NAMES})
    yield from (f"{number:0{len(first)}}" for number in numbers)


def _wrong(pattern: str, reason: str) -> BadInput:
    return BadInput(
        _('"%(text)s" cannot be read: %(reason)s') % {"text": pattern[:100], "reason": reason},
        hint=_("for example web[01:50].example or db[a:c]"),
    )
