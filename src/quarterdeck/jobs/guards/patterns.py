"""Patterns of calls, one on a line, as a guard rule has them.

    reboot                 a call of reboot, with whatever words
    rm -r /*               a call of rm with the option r (also as -rf) and a word that begins with /
    systemctl stop|restart nginx*
    $                      a call of a program whose name is known on the host only

The first word is the program's name without its folder. Each other word must be met by one of the call's words, in any
order. `*`, `?` and `[...]` are as in file names, but `*` goes over `/`; `|` parts choices. A word of the call that is
known on the host only meets every pattern but an option's. A directory is met by its contents' `/etc/*` as well.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.guards.calling import Call, Word

MAX_PATTERNS = 200
_OPTION = re.compile(r"-[A-Za-z0-9]")
_SLASHES = re.compile(r"//+")
_UNKNOWN = "$"


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` as a person wrote it."""

    text: str
    name: Choice
    words: tuple[Choice, ...]

    def meets(self, call: Call) -> bool:
        if call.name is None or self.name.text == _UNKNOWN:
            return call.name is None and self.name.text == _UNKNOWN
        return self.name.meets(call.name) and all(any(map(one.meets, call.words)) for one in self.words)


class Choice:
    """One word of a pattern: "stop|restart"."""

    def __init__(self, text: str) -> None:
        self.text = text
        parts = text.split("|")
        self._meets = re.compile("|".join(map(_expression, parts))).fullmatch
        self._meets_unknown = any(not part.startswith("-") for part in parts)

    def meets(self, word: Word) -> bool:
        if word is None:
            return self._meets_unknown
        if self._meets(word):
            return True
        # Also as the directory that is meant: "/etc/", "//etc" and "/etc/*" are "/etc".
        return word[:1] in ("/", "~") and self._meets(_directory(word)) is not None


def _expression(part: str) -> str:
    # Options of one letter may stand together: -rf.
    return rf"-[A-Za-z0-9]*{part[1]}[A-Za-z0-9]*" if _OPTION.fullmatch(part) else translate(part)


def _directory(path: str) -> str:
    plain = _SLASHES.sub("/", path).removesuffix("*")
    return plain.rstrip("/") or "/"


@lru_cache(maxsize=256)
def patterns_of(text: str) -> tuple[Pattern, ...]:
    """Return the patterns of a rule's lines; empty ones and those that begin with "#" are none. Raises BadInput."""
    lines = [line.strip() for line in text.splitlines()]
    found = [_pattern(line) for line in lines if line and not line.startswith("#")]
    if len(found) > MAX_PATTERNS:
        raise BadInput(_("more than %(most)d patterns in one rule") % {"most": MAX_PATTERNS}, field="commands")
    return tuple(found)


def _pattern(line: str) -> Pattern:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise BadInput(
            _('the quotes of "%(line)s" do not match') % {"line": line[:60]}, hint="rm -r '/*'", field="commands"
        ) from error
    name, *rest = words or [""]
    if not name or "/" in name or name.startswith("-"):
        raise BadInput(
            _('"%(line)s" does not begin with a program\'s name') % {"line": line[:60]},
            hint=_("write it without its folder: reboot, rm -r /*"),
            field="commands",
        )
    return Pattern(line, Choice(name), tuple(map(Choice, rest)))
