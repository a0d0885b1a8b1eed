"""The commands. Each is a script for /bin/sh whose every value of others is quoted; secrets come on its input."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.pip.environments import NO_PYTHON, NO_UV, NOT_A_VENV, Environment, Index, absolute, beginning
from quarterdeck.remote.scripts import Command, is_account

# What separates the parts of an output; with a nonce that no package can print.
MARK = "\x01qd-pip"
# A name with what may follow it: extras, versions, markers, or "@ URL". Never a flag, a file or a second line.
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._,\s-]*\])?\s*([(<>=!~;@][ -~]*)?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
# What is there, by Python itself: pip needs ten times as long. Before 3.8 it has no such module.
_NAMES = """import json, importlib.metadata as m
print(json.dumps([{"name": d.metadata["Name"], "version": d.version} for d in m.distributions()]))"""
_MAX_REQUIREMENTS_BYTES = 1 << 20
ROOTS = ("/home", "/root", "/opt", "/srv", "/usr/local", "/var/lib", "/var/www")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to install: `packages` as requirements ("django>=5,<6"), `requirements` as the text of such a file.

    With `with_hashes` every line needs its hash, and nothing else is installed.
    """

    packages: tuple[str, ...] = ()
    requirements: str = field(default="", repr=False)
    with_hashes: bool = False
    is_upgrade: bool = False
    with_dependencies: bool = True
    with_previews: bool = False
    is_dry_run: bool = False

    def arguments(self) -> list[str]:
        """Raises BadInput."""
        if not self.packages and not self.requirements.strip():
            raise BadInput(_("a package is needed"), field="packages")
        if self.with_hashes and self.packages:
            raise BadInput(_("with hashes the packages are given as a file of requirements"), field="packages")
        if len(self.requirements.encode("utf-8", "surrogateescape")) > _MAX_REQUIREMENTS_BYTES:
            raise BadInput(_("the requirements are too long"), field="requirements")
        flags = {
            "--require-hashes": self.with_hashes,
            "--upgrade": self.is_upgrade,
            "--no-deps": not self.with_dependencies,
            "--pre": self.with_previews,
        }
        return [flag for flag, is_set in flags.items() if is_set]


def installed(environment: Environment) -> Command:
    """List the packages; `parsing.packages` reads it."""
    return Command(f"{beginning(environment)}\n{_listing(environment)}")


def outdated(environment: Environment, index: Index | None = None) -> Command:
    """List the packages that have a newer version; `parsing.packages` reads it."""
    index = index or Index()
    flags = shlex.join(["--outdated", "--format", "json", *_user(environment), *index.flags()])
    return Command(f"{beginning(environment)}\n{_private(index, '')}\nqd_pip list {flags}", stdin=_input(index, ""))


def freeze(environment: Environment) -> Command:
    return Command(f"{beginning(environment)}\nqd_pip freeze {shlex.join(_user(environment))}")


def check(environment: Environment) -> Command:
    """Look for packages whose requirements are not met; `parsing.problems` reads it. Ends with 1 when there are any."""
    return Command(f"{beginning(environment)}\nqd_pip check 2>&1")


def install(environment: Environment, wanted: Wanted, nonce: str, index: Index | None = None) -> Command:
    """Install or upgrade; `parsing.changes` reads it. What pip says goes to stderr."""
    index = index or Index()
    flags = [*wanted.arguments(), *_user(environment), *index.flags()]
    files = ' -r "$qd/requirements.txt"' if wanted.requirements else ""
    packages = shlex.join([_requirement(text) for text in wanted.packages])
    call = f"qd_pip install {shlex.join(flags)}{files} {packages}"
    begin = f"{beginning(environment, changes=True)}\n{_private(index, wanted.requirements)}"
    work = _would(call) if wanted.is_dry_run else _around(environment, call, nonce)
    return Command(f"{begin}\n{work}", stdin=_input(index, wanted.requirements))


def uninstall(environment: Environment, names: Sequence[str], nonce: str) -> Command:
    """Remove packages, not what they needed; `parsing.changes` reads it. What is not there is no error."""
    if not names:
        raise BadInput(_("a package is needed"), field="packages")
    for name in names:
        if not _NAME.fullmatch(name):
            raise BadInput(_('"%(name)s" is no name of a package') % {"name": name[:60]}, field="packages")
    call = f"qd_pip uninstall $yes {shlex.join(names)}"
    yes = 'yes=-y; [ -z "$uv" ] || yes='
    return Command(f"{beginning(environment, changes=True)}\n{yes}\n{_around(environment, call, nonce)}")


def create(path: str, *, python: str = "python3", uv: str = "never", with_system: bool = False) -> Command:
    """Make a virtual environment; prints "changed", or "ok" when it is there. NOT_A_VENV where something else is."""
    Environment(python=python, uv=uv).check()
    more = ["--system-site-packages"] if with_system else []
    by_python = f'"$py" -m venv {shlex.join(more)} -- "$p"'
    by_uv = f'"$uv" venv --quiet --python "$py" {shlex.join(more)} -- "$p"'
    find = 'uv=$(command -v uv 2>/dev/null) || uv=; [ -n "$uv" ] || uv="$HOME/.local/bin/uv"'
    calls = {
        "never": by_python,
        "always": f'{find}; [ -x "$uv" ] || exit {NO_UV}; {by_uv}',
        "auto": f'{find}; if [ -x "$uv" ]; then {by_uv}; else {by_python}; fi',
    }
    return Command(f"""
p={shlex.quote(absolute(path))}; py={shlex.quote(python)}
if [ -f "$p/pyvenv.cfg" ]; then echo ok; exit 0; fi
if [ -e "$p" ] && [ -n "$(ls -A -- "$p" 2>/dev/null || echo x)" ]; then
    echo "$p is there already, and is no virtual environment" >&2; exit {NOT_A_VENV}
fi
command -v "$py" >/dev/null 2>&1 || {{ echo "there is no $py" >&2; exit {NO_PYTHON}; }}
had=; [ -e "$p" ] && had=1
{{ {calls[uv]}; }} >&2 || {{ code=$?; [ -n "$had" ] || rm -rf -- "$p"; exit $code; }}
echo changed
""")


def remove(path: str) -> Command:
    """Remove a virtual environment; prints "changed" or "ok". Nothing else is removed: NOT_A_VENV, also for a link."""
    return Command(f"""
p={shlex.quote(absolute(path))}
if [ ! -e "$p" ] && [ ! -L "$p" ]; then echo ok; exit 0; fi
if [ -L "$p" ] || [ ! -f "$p/pyvenv.cfg" ]; then
    echo "$p is no virtual environment" >&2; exit {NOT_A_VENV}
fi
rm -rf -- "$p" && echo changed
""")


def discover(roots: Sequence[str] = ROOTS, *, users: Sequence[str] = (), max_depth: int = 6) -> Command:
    """Find virtual environments below directories and in users' homes; `parsing.environments` reads it.

    Other file systems, and what lies in packages (`node_modules`, `site-packages`), are left out.
    """
    for user in users:
        if not is_account(user):
            raise BadInput(_('"%(name)s" is no name of an account') % {"name": user[:60]}, field="users")
    places = shlex.join([absolute(root) for root in roots])
    homes = "\n".join(
        f'h=$(getent passwd {shlex.quote(user)} | cut -d: -f6); [ -n "$h" ] && set -- "$@" "$h"' for user in users
    )
    show = r"""for f do
    d=${f%/pyvenv.cfg}
    [ -x "$d/bin/python" ] || continue
    o=$(stat -c %U -- "$f" 2>/dev/null || stat -f %Su "$f")
    printf "%s\0%s\0" "$d" "$o"; head -c 4096 < "$f"; printf "\0"
done"""
    return Command(f"""
set -- {places}
{homes}
for r do
    [ -d "$r" ] || continue
    find -H "$r" -xdev -maxdepth {int(max_depth)} \\
        \\( -name node_modules -o -name site-packages -o -name .git \\) -prune \\
        -o -type f -name pyvenv.cfg -exec /bin/sh -c {shlex.quote(show)} sh {{}} + 2>/dev/null
done
exit 0
""")


def _requirement(text: str) -> str:
    if len(text) > 500 or not _REQUIREMENT.fullmatch(text):
        raise BadInput(
            _('"%(text)s" is no package') % {"text": text[:60]}, hint='django, "django>=5,<6"', field="packages"
        )
    return text


def _user(environment: Environment) -> list[str]:
    return ["--user"] if environment.is_user else []


def _listing(environment: Environment) -> str:
    return f"qd_pip list --format json {shlex.join(_user(environment))}".rstrip()


def _around(environment: Environment, call: str, nonce: str) -> str:
    """Return `call` between two lists; its own output goes to stderr."""
    mark = f"printf '\\n%s\\n' {shlex.quote(f'{MARK} {nonce}')}"
    # The flag for what the distribution manages is none of the list's.
    listing = f'"$py" -c {shlex.quote(_NAMES)} 2>/dev/null || (break=; {_listing(environment)})'
    return f"{mark}\n{{ {listing}; }} || exit $?\n{mark}\n{{ {call}; }} >&2\ncode=$?\n{listing}\n{mark}\nexit $code"


def _would(call: str) -> str:
    """Return the dry run: pip tells what it would install as JSON, uv in lines on stderr."""
    return f"""
if [ -n "$uv" ]; then {call} --dry-run 2>&1
else {call} --dry-run --quiet --report - ; fi"""


def _private(index: Index, requirements: str) -> str:
    """Return the lines that take what came on the input into a directory of its own, which goes at the end."""
    secret = index.netrc().encode()
    if not secret and not requirements:
        return ""
    lines = ["umask 077; qd=$(mktemp -d) || exit 1", "trap 'rm -rf -- \"$qd\"' EXIT", "trap 'exit 1' HUP INT TERM"]
    if secret:
        # Byte by byte: what follows belongs to the other file.
        lines.append(f'dd bs=1 count={len(secret)} of="$qd/netrc" 2>/dev/null; export NETRC="$qd/netrc"')
    if requirements:
        lines.append('cat > "$qd/requirements.txt"')
    return "\n".join([*lines, "umask 022"])


def _input(index: Index, requirements: str) -> bytes:
    return index.netrc().encode() + requirements.encode("utf-8", "surrogateescape")
