"""What the commands' outputs say, as rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import Conflict, NotFound, OpsError, Unavailable
from quarterdeck.jobs.pip.commands import MARK
from quarterdeck.jobs.pip.environments import MANAGED, NO_PIP, NO_PYTHON, NO_UV, NOT_A_VENV
from quarterdeck.remote.errors import Phase, RemoteError

_SEPARATORS = re.compile(r"[-_.]+")
_UV_LINE = re.compile(r"^ ([+~-]) ([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """`latest` is known where newer versions were asked for; `editable_at` is a source directory of the host."""

    name: str
    version: str
    latest: str = ""
    editable_at: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is "" for what was not there, `after` for what is gone."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Found:
    """A virtual environment of a host. `version` is of its Python, `home` where that is, `made_by` "venv" or "uv"."""

    path: str
    owner: str
    version: str = ""
    home: str = ""
    prompt: str = ""
    made_by: str = "venv"
    with_system: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


class PipFailed(RemoteError):
    """pip did not do it; its last words are in the message."""

    code = "pip_failed"


def normalized(name: str) -> str:
    """Return a package's name as all its spellings have it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def packages(output: bytes) -> list[Package]:
    """Read `installed` and `outdated`. Raises PipFailed for what is no list."""
    return [
        Package(row["name"], row["version"], row.get("latest_version", ""), row.get("editable_project_location", ""))
        for row in _rows(output)
    ]


def _rows(output: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(output)
        if isinstance(found, list) and all({"name", "version"} <= row.keys() for row in found):
            return found
    except (ValueError, AttributeError):
        pass
    raise PipFailed(_("the host's pip lists its packages in a form that is not known"), phase=Phase.RUN)


def changes(output: bytes, nonce: str) -> list[Change]:
    """Read `install` and `uninstall`: what is different now; empty when all was as asked. Raises PipFailed."""
    parts = output.split(f"{MARK} {nonce}\n".encode())
    if len(parts) != 4:
        raise PipFailed(_("the host did not say what was installed"), phase=Phase.RUN)
    # The first of a name is the one that Python imports.
    before, after = ({normalized(one.name): one for one in reversed(packages(part))} for part in parts[1:3])
    return _between(before, after)


def _between(before: Mapping[str, Package], after: Mapping[str, Package]) -> list[Change]:
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            found.append(Change(name, old.version if old else "", new.version if new else ""))
    return found


def would_change(output: bytes) -> list[Change]:
    """Read the dry run of `install`. Of pip `before` is not known."""
    text = output.decode("utf-8", "replace")
    start = text.find("{")
    if start >= 0:
        try:
            report = json.loads(text[start:])
            rows = [one["metadata"] for one in report["install"]]
        except (ValueError, KeyError, TypeError) as error:
            raise PipFailed(_("the host's pip does not say what it would do"), phase=Phase.RUN) from error
        return sorted((Change(normalized(row["name"]), "", row["version"]) for row in rows), key=lambda one: one.name)
    found: dict[str, list[str]] = {}
    for sign, name, version in _UV_LINE.findall(text):
        pair = found.setdefault(normalized(name), ["", ""])
        pair[0 if sign == "-" else 1] = version
    return [Change(name, old, new) for name, (old, new) in sorted(found.items())]


def frozen(output: bytes) -> list[str]:
    return [line for line in output.decode("utf-8", "replace").splitlines() if line and not line.startswith("#")]


def problems(output: bytes, code: int | None) -> list[str]:
    """Read `check`: a sentence of pip's or uv's for each requirement that is not met."""
    if code == 0:
        return []
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    return [line for line in lines if "requires" in line or "incompatible" in line or "not supported" in line]


def environments(output: bytes) -> list[Found]:
    """Read `discover`."""
    parts = output.split(b"\0")[:-1]
    triples = zip(parts[0::3], parts[1::3], parts[2::3], strict=False)
    texts = [tuple(part.decode("utf-8", "surrogateescape") for part in triple) for triple in triples]
    found = {path: _found(path, owner.strip(), text) for path, owner, text in texts}
    return [found[path] for path in sorted(found)]


def _found(path: str, owner: str, text: str) -> Found:
    """Read a pyvenv.cfg. See https://docs.python.org/3/library/site.html"""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    values = {name.strip().lower(): value.strip() for name, _equals, value in pairs}
    return Found(
        path,
        owner,
        version=values.get("version_info", values.get("version", "")),
        home=values.get("home", ""),
        prompt=values.get("prompt", "").strip("'\""),
        made_by="uv" if "uv" in values else "venv",
        with_system=values.get("include-system-site-packages", "").lower() == "true",
        more=values,
    )


def failure(code: int | None, stderr: bytes) -> OpsError | None:
    """Return what an exit code means, None for 0. Not for `check`, whose 1 is an answer."""
    if code == 0:
        return None
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    said = "".join(char for char in (errors[-1] if errors else "") if char.isprintable())[:300]
    if code == MANAGED:
        return Conflict(said, hint=_("use a virtual environment, or say that its packages may be broken"))
    if code in (NO_PYTHON, NOT_A_VENV):
        return NotFound(said, hint=_("look which Python the host has, and where its virtual environments are"))
    if code in (NO_PIP, NO_UV):
        return Unavailable(said, hint=_("install it on the host (python3-pip, python3-venv, or uv)"))
    return PipFailed(_("pip ended with %(code)s: %(said)s") % {"code": code, "said": said}, phase=Phase.RUN)
