"""OpenSSH client configuration: every alias of a `Host` line is a host. See ssh_config(5).

For each alias the first value found wins, over all blocks whose patterns match it, as ssh does it. `Include` reads
files below the configuration's own directory only: an uploaded file must not name files of this machine.
`Match` blocks count when they ask for `all`, `host` or `originalhost`; what depends on the moment of a connection
(exec, user, localnetwork) does not.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from quarterdeck.inventory.exchange.files import read_text
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows

_MAX_INCLUDES = 16  # ssh's own READCONF_MAX_DEPTH
_BEGIN, _END = "(begin", "end)"  # of an included file; no keyword has brackets
_WANTED = ("hostname", "port", "user", "proxyjump", "identityfile")


@dataclass(frozen=True, slots=True)
class _Line:
    row: int
    keyword: str
    words: tuple[str, ...]


@dataclass(slots=True)
class _Block:
    """The options below one `Host` or `Match` line; `patterns` as they stand there.

    A block of an included file counts only where the blocks around the `Include` do: they are in `within`. `row` is 0
    for options that no line of their own introduces.
    """

    row: int
    patterns: tuple[str, ...]
    within: tuple[tuple[str, ...], ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    def matches(self, alias: str) -> bool:
        return all(_matches(alias, patterns) for patterns in (self.patterns, *self.within))

    def aliases(self) -> list[str]:
        return [p for p in self.patterns if not set(p) & set("*?!")]


def _lines(path: Path, root: Path, depth: int = 0) -> Iterator[_Line | BadRow]:
    for row, text in enumerate(read_text(path).splitlines(), 1):
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            continue
        keyword, words = _split(stripped)
        if not words:
            yield BadRow(row, keyword, _('"%(line)s" has no readable value') % {"line": stripped[:80]})
        elif keyword == "include":
            yield from _included(row, words, root, depth)
        else:
            yield _Line(row, keyword, words)


def _split(line: str) -> tuple[str, tuple[str, ...]]:
    """`Keyword value` or `Keyword=value`, values in double quotes if they hold blanks."""
    end = next((i for i, c in enumerate(line) if c in " \t="), len(line))
    rest = line[end:].strip()
    rest = rest.removeprefix("=").strip()
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        return line[:end].lower(), tuple(lexer)
    except ValueError:
        return line[:end].lower(), ()


def _included(row: int, patterns: Iterable[str], root: Path, depth: int) -> Iterator[_Line | BadRow]:
    if depth >= _MAX_INCLUDES:
        yield BadRow(row, "include", _("files include each other, or more than %(n)d deep") % {"n": _MAX_INCLUDES})
        return
    for pattern in patterns:
        outside = BadRow(row, "include", _("%(path)s is outside of the directory") % {"path": pattern})
        wanted = Path(pattern).expanduser()
        if wanted.is_absolute() and not wanted.is_relative_to(root):
            yield outside
            continue
        for path in sorted(root.glob(str(wanted.relative_to(root) if wanted.is_absolute() else wanted))):
            if not path.resolve().is_relative_to(root.resolve()):
                yield outside
            elif path.is_file():
                yield _Line(row, _BEGIN, ())
                yield from _lines(path, root, depth + 1)
                yield _Line(row, _END, ())


def _matches(alias: str, patterns: tuple[str, ...]) -> bool:
    refused = any(fnmatchcase(alias, pattern[1:]) for pattern in patterns if pattern.startswith("!"))
    return not refused and any(fnmatchcase(alias, pattern) for pattern in patterns if not pattern.startswith("!"))


def _blocks(lines: Iterable[_Line]) -> list[_Block]:
    blocks = [_Block(0, ("*",))]
    around: list[_Block] = []
    for line in lines:
        within = tuple(block.patterns for block in around)
        if line.keyword == "host":
            blocks.append(_Block(line.row, line.words, within))
        elif line.keyword == "match":
            blocks.append(_Block(line.row, _match_patterns(line.words), within))
        elif line.keyword == _BEGIN:
            around.append(blocks[-1])
            blocks.append(_Block(0, ("*",), (*within, blocks[-1].patterns)))
        elif line.keyword == _END:
            # What follows the Include belongs to the block that it stands in.
            block = around.pop()
            blocks.append(_Block(0, block.patterns, block.within))
        elif line.keyword in _WANTED:
            blocks[-1].options.setdefault(line.keyword, line.words[0])
    return blocks


def _match_patterns(words: Sequence[str]) -> tuple[str, ...]:
    if len(words) == 1 and words[0].lower() == "all":
        return ("*",)
    if len(words) == 2 and words[0].lower() in ("host", "originalhost"):
        return tuple(words[1].split(","))
    return ()


def read(path: Path) -> Rows:
    lines: list[_Line] = []
    for line in _lines(path, path.parent):
        if isinstance(line, BadRow):
            yield line
        else:
            lines.append(line)
    blocks = _blocks(lines)
    hosts = [b for b in blocks if b.row]
    rows = {alias: block.row for block in reversed(hosts) for alias in block.aliases()}
    for alias, row in sorted(rows.items(), key=lambda pair: pair[1]):
        options: dict[str, str] = {}
        for block in blocks:
            if block.matches(alias):
                options = {**block.options, **options}
        yield _record(row, alias, options, rows)


def _record(row: int, alias: str, options: dict[str, str], known: Iterable[str]) -> Record | BadRow:
    fields: dict[str, object] = {"type": "host", "name": alias}
    target = options.get("hostname", alias).replace("%h", alias).replace("%%", "%")
    if _is_ip(target):
        fields["primary_ip"] = target
    elif target != alias:
        fields["fqdn"] = target
    port = options.get("port", "")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        return BadRow(row, "ssh_port", _('port "%(port)s" is not a number from 1 to 65535') % {"port": port})
    if port:
        fields["ssh_port"] = int(port)
    if options.get("user"):
        fields["ssh_user"] = options["user"]
    jump = options.get("proxyjump", "none")
    if jump.lower() != "none":
        fields["ssh_proxy_jump"] = jump
        hop = _last_hop(jump)
        if hop in known and hop != alias:
            fields["relation.reached_through"] = [f"host:{hop}"]
    return Record(row, fields)


def _last_hop(jump: str) -> str:
    """The alias of the hop nearest to the host: of "a,user@b:22" it is "b"."""
    return jump.rpartition(",")[2].rpartition("@")[2].partition(":")[0].removeprefix("ssh://")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_word(text: str) -> bool:
    """A text that stands in the file as it is: no blanks, no quotes, nothing that makes a pattern."""
    return bool(text) and text.isprintable() and not set(text) & set(" \t\"'*?!#,=%\\") and not text.startswith("-")


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    """A `Host` block for each host that ssh can name; the rest is left out."""
    stream.write(b"# exported from Quarterdeck\n")
    for record in records:
        name = str(record.fields.get("name", ""))
        if not _is_word(name):
            continue
        lines = [f"Host {name}"]
        for keyword, value in (
            ("HostName", record.fields.get("primary_ip") or record.fields.get("fqdn")),
            ("Port", record.fields.get("ssh_port")),
            ("User", record.fields.get("ssh_user")),
        ):
            if value not in (None, "") and _is_word(str(value)):
                lines.append(f"    {keyword} {value}")
        jump = str(record.fields.get("ssh_proxy_jump") or "")
        if jump and _is_word(jump.replace(",", "")):
            lines.append(f"    ProxyJump {jump}")
        stream.write(("\n".join(lines) + "\n\n").encode())


PLUGIN = Format(
    "OpenSSH configuration", (".ssh_config",), read, write, type="host", file_names=("config", "ssh_config")
)
