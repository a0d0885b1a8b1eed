"""What the script printed, as a tree of files that is read like a real one, and the answers of commands. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput


@dataclass(slots=True)
class Output:
    """Files by path, links by path, answers by the command's name. `is_whole` when the script came to its end."""

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    is_whole: bool = False

    @property
    def root(self) -> RecordedPath:
        return RecordedPath(self, "")


def read(text: str) -> Output:
    """Return what the script's output holds. Raises BadInput when it did not come to its end."""
    found = Output()
    lines: list[str] = []  # what stands before the first head belongs to nobody
    files: dict[str, list[str]] = {}
    # Not `splitlines`: a form feed in a file would begin a line of its own there.
    for line in text.split("\n"):
        if line.startswith("|"):
            lines.append(line[1:])
            continue
        kind, _blank, rest = line.partition(" ")
        if kind == "#F":
            lines = files[rest] = []
        elif kind == "#C":
            lines = found.said[rest] = []
        elif kind == "#L":
            path, _blank, target = rest.partition(" ")
            found.links[path] = target
        elif kind == "#E":
            found.is_whole = True
    found.files = {path: "\n".join(content) for path, content in files.items()}
    if not found.is_whole:
        raise BadInput(_("the host's answer broke off"), hint=_("is /bin/sh there, and awk, sed and grep?"))
    return found


@dataclass(frozen=True, slots=True)
class RecordedPath:
    """A path below the recorded root, with as much of `pathlib.Path` as `machine_files` asks for."""

    output: Output
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __truediv__(self, part: str) -> RecordedPath:
        return RecordedPath(self.output, f"{self.path}/{part}")

    def __lt__(self, other: RecordedPath) -> bool:
        return self.path < other.path

    def __str__(self) -> str:
        return self.path

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        if self.path not in self.output.files:
            raise FileNotFoundError(self.path)
        return self.output.files[self.path]

    def exists(self) -> bool:
        return self.path in self.output.files

    def is_symlink(self) -> bool:
        return self.path in self.output.links

    def readlink(self) -> str:
        return self.output.links[self.path]

    def glob(self, pattern: str) -> Iterator[RecordedPath]:
        """Yield what stands directly below and matches."""
        below = f"{self.path}/"
        names = {path[len(below) :].partition("/")[0] for path in self.output.files if path.startswith(below)}
        yield from (self / name for name in sorted(names) if fnmatch.fnmatchcase(name, pattern))
