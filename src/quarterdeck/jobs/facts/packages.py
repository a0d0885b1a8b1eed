"""Lists of installed packages, as three package managers tell them. Pure.

`name, version, architecture, source`: what a scan for vulnerabilities asks for. The source is what Debian's and
Alpine's advisories name; for RPM it is the name of the source package's file without its version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.jobs.facts.tree import Output


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """An installed package. `version` is as the manager compares it, with its epoch where that is not 0."""

    name: str
    version: str
    architecture: str = ""
    source: str = ""


_SOURCE_RPM = re.compile(r"^(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm$")


def packages_of(output: Output) -> tuple[str, list[Package]]:
    """Return the package manager and its packages in order; `("", [])` where there is none that is known.

    A host may have several managers' programs; the one that has packages is the system's.
    """
    for name, read in _MANAGERS.items():
        found = sorted(set(read(output.said.get(name, []))))
        if found:
            return name, found
    return "", []


def _dpkg(lines: Sequence[str]) -> Iterator[Package]:
    """`ii \tlibc6:amd64\t2.36-9\tamd64\tglibc`; what is removed, its files left, is not installed."""
    for words in _words(lines):
        name = words[1].partition(":")[0]
        yield Package(name, words[2], words[3], words[4] if words[4] != name else "")


def _rpm(lines: Sequence[str]) -> Iterator[Package]:
    """`ii \tbash\t0:5.1.8-9.el9\tx86_64\tbash-5.1.8-9.el9.src.rpm`; keys are listed as packages, and are none."""
    for words in _words(lines):
        if words[1] != "gpg-pubkey":
            source = _SOURCE_RPM.match(words[4])
            name = source[1] if source else ""
            yield Package(words[1], words[2].removeprefix("0:"), words[3], name if name != words[1] else "")


def _words(lines: Sequence[str]) -> Iterator[list[str]]:
    for line in lines:
        words = line.split("\t")
        if len(words) == 5 and words[0].startswith("ii") and words[1] and words[2]:
            yield words


def _apk(lines: Sequence[str]) -> Iterator[Package]:
    """`P:musl`, `V:1.2.4-r2`, `A:x86_64`, `o:musl`: a package begins with its name."""
    fields: dict[str, str] = {}
    for line in [*lines, "P:"]:
        key, _colon, value = line.partition(":")
        if key == "P" and fields.get("P") and fields.get("V"):
            source = fields.get("o", "")
            yield Package(fields["P"], fields["V"], fields.get("A", ""), source if source != fields["P"] else "")
        if key == "P":
            fields = {}
        fields[key] = value


_MANAGERS: Mapping[str, Callable[[Sequence[str]], Iterator[Package]]] = {"dpkg": _dpkg, "rpm": _rpm, "apk": _apk}
