"""Patterns of calls, one on a line, as a guard rule has them.

    reboot                 a call of reboot, with whatever words
    rm -r /*               a call of rm with the option r (also as -rf) and a word that begins with /
    systemctl stop|restart nginx*
    $                      a call of a program whose name is known on the host only

The first word is the program's name without its folder. Each other word must be met by one of the call's words, in any
order. `*`, `?` and `[...]` are as in file names, but `*` goes over `/`; `|` parts choices. A word of the call that is
known on the host only meets every pattern but an option's.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fnmatch import translate

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.guards.calling import Call, Word

MAX_PATTERNS = 200
_OPTION = re.compile(r"-[A-Za-z0-9]")
_UNKNOWN = "$"


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` as a person wrote it."""

    text: str
    name: str
    words: tuple[str, ...]

    def meets(self, call: Call) -> bool:
        if call.name is None or self.name == _UNKNOWN:
            return call.name is None and self.name == _UNKNOWN
        return _meets(self.name, call.name) and all(any(_meets(one, word) for word in call.words) for one in self.words)


def _meets(pattern: str, word: Word) -> bool:
    return any(_meets_one(one, word) for one in pattern.split("|"))


def _meets_one(pattern: str, word: Word) -> bool:
    if _OPTION.fullmatch(pattern):
        # Options of one letter may stand together: -rf.
        return word is not None and bool(re.fullmatch(rf"-[A-Za-z0-9]*{pattern[1]}[A-Za-z0-9]*", word))
    if word is None:
        return not pattern.startswith("-")
    return re.fullmatch(translate(pattern), word) is not None


def patterns_of(text: str) -> list[Pattern]:
    """Return the patterns of a rule's lines; empty ones and those that begin with "#" are none. Raises BadInput."""
    lines = [line.strip() for line in text.splitlines()]
    found = [_pattern(line) for line in lines if line and not line.startswith("#")]
    if len(found) > MAX_PATTERNS:
        raise BadInput(_("more than %(most)d patterns in one rule") % {"most": MAX_PATTERNS}, field="commands")
    return found


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
    return Pattern(line, name, tuple(rest))
