"""Which Python is meant, and how it is spoken to: checked values, and the beginning of every script."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

# What the scripts end with when it is not pip's own word.
NO_PYTHON, MANAGED, NO_PIP, NOT_A_VENV, NO_UV = 94, 95, 96, 97, 98
UV_CHOICES = ("auto", "always", "never")


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment by its `path`, else the packages of `python`; `is_user` is that user's own (--user).

    `uv` is "auto" (where the host has it), "always" or "never". `breaks_system` changes what the distribution manages
    (PEP 668).
    """

    path: str = ""
    python: str = "python3"
    is_user: bool = False
    uv: str = "auto"
    breaks_system: bool = False

    def check(self) -> None:
        """Raise BadInput for what cannot be."""
        if self.path:
            absolute(self.path)
        is_path = "/" in self.python and not self.python.startswith("/")
        if not self.python or self.python.startswith("-") or is_path or _has_control(self.python):
            raise BadInput(_('"%(name)s" is no Python') % {"name": self.python[:60]}, hint="python3", field="python")
        if self.uv not in UV_CHOICES:
            raise BadInput(
                _('"%(name)s" is not known') % {"name": self.uv[:60]}, hint=", ".join(UV_CHOICES), field="uv"
            )
        if self.is_user and (self.path or self.uv == "always"):
            raise BadInput(
                _("a user's own packages are not in a virtual environment, and uv has none"), field="is_user"
            )


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages come from. `url` may hold a user and a password: they go to the host in a file of its own.

    `wheels` is a directory of the host with wheels; with `is_offline` nothing else is asked.
    """

    url: str = field(default="", repr=False)
    extra_urls: tuple[str, ...] = field(default=(), repr=False)
    wheels: str = ""
    is_offline: bool = False

    def flags(self) -> list[str]:
        """Return the flags, which pip and uv share; without secrets. Raises BadInput."""
        found = ["--no-index"] if self.is_offline else []
        if self.wheels:
            found += ["--find-links", absolute(self.wheels)]
        if self.url:
            found += ["--index-url", _bare(self.url)]
        for url in self.extra_urls:
            found += ["--extra-index-url", _bare(url)]
        return found

    def netrc(self) -> str:
        """Return the lines of a netrc file for the URLs that have a password, "" where none has."""
        found = []
        for url in (self.url, *self.extra_urls):
            parts = urlsplit(url)
            if parts.hostname and parts.username:
                words = (parts.hostname, parts.username, parts.password or "")
                if any(re.search(r"[\s\"\\]", word) for word in words):
                    raise BadInput(
                        _("the user or the password of an index has a character that no file of its kind holds")
                    )
                found.append("machine {} login {} password {}\n".format(*words))
        return "".join(found)


def _bare(url: str) -> str:
    """Return a URL without user and password. Raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or _has_control(url):
        raise BadInput(_("an index is an address that begins with https://"), field="index")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def absolute(path: str) -> str:
    """Return a path of the host without its last slashes. Raises BadInput unless it is absolute and not the root."""
    clean = path.rstrip("/")
    if not clean.startswith("/") or _has_control(path) or ".." in clean.split("/") or len(path) > 4096:
        raise BadInput(_("an absolute path is needed, without .."), hint="/opt/app/venv", field="path")
    return clean


def _has_control(text: str) -> bool:
    return any(ord(char) < 32 or ord(char) == 127 for char in text)


def beginning(environment: Environment, *, changes: bool = False) -> str:
    """Return the lines that every script begins with: they leave `qd_pip`, which is pip or uv for that environment.

    They go to / first: Python looks for modules where it stands, and that may be the home of whoever became root.
    """
    environment.check()
    if environment.path:
        python = f"{absolute(environment.path)}/bin/python"
        no_python = NOT_A_VENV
        missing = f'[ -x "$py" ] && [ -f {shlex.quote(absolute(environment.path) + "/pyvenv.cfg")} ]'
    else:
        python, no_python = environment.python, NO_PYTHON
        missing = 'command -v "$py" >/dev/null 2>&1'
    return f"""
cd / || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_COLOR=1 NO_COLOR=1 PYTHONUTF8=1
py={shlex.quote(python)}
{missing} || {{ echo "there is no $py" >&2; exit {no_python}; }}
{_managed(environment) if changes and not environment.path else "break="}
{_uv(environment)}
if [ -n "$uv" ]; then
    qd_pip() {{ verb=$1; shift; "$uv" pip "$verb" --python "$py" $break "$@"; }}
elif "$py" -m pip --version >/dev/null 2>&1; then
    qd_pip() {{ verb=$1; shift; "$py" -m pip "$verb" $break "$@"; }}
else
    echo "$py has no pip" >&2; exit {NO_PIP}
fi
"""


def _managed(environment: Environment) -> str:
    """Return the look for the distribution's mark. Older versions of pip do not know the flag, and need none."""
    look = (
        "import os, sysconfig; print(os.path.exists(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')))"
    )
    refuse = f'echo "the distribution manages the packages of $py (PEP 668)" >&2; exit {MANAGED}'
    return f"""break=
if [ "$("$py" -c {shlex.quote(look)} 2>/dev/null)" = True ]; then
    {"break=--break-system-packages" if environment.breaks_system else refuse}
fi"""


def _uv(environment: Environment) -> str:
    if environment.uv == "never" or environment.is_user:
        return "uv="
    need = f'[ -n "$uv" ] || {{ echo "the host has no uv" >&2; exit {NO_UV}; }}' if environment.uv == "always" else ""
    return f"""uv=
for one in "$(command -v uv 2>/dev/null)" "$HOME/.local/bin/uv" /usr/local/bin/uv; do
    if [ -z "$uv" ] && [ -x "$one" ]; then uv=$one; fi
done
{need}"""
