"""qd pip: Python packages and virtual environments on the hosts of a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Python packages and virtual environments on hosts.")
VenvOption = Annotated[str, typer.Option("--venv", help="Virtual environment; the system's Python when not said.")]
PythonOption = Annotated[str, typer.Option("--python", help="Python, by name or path.")]
UserOption = Annotated[bool, typer.Option("--user", help="The packages of the account itself.")]
UvOption = Annotated[str, typer.Option("--uv", help="auto (where the host has it), always or never.")]
PackagesArgument = Annotated[list[str] | None, typer.Argument(help="Packages: 'django>=5,<6'", show_default=False)]
BreakOption = Annotated[
    bool, typer.Option("--break-system-packages", help="Also where the distribution manages Python (PEP 668).")
]


def _work(operation: str, **more: object) -> dict[str, object]:
    return {"operation": operation, **{name: value for name, value in more.items() if value}}


def _read(operation: str) -> None:
    """Make the command of an operation that only reads."""

    @ways_of
    def command(
        ways: Ways,
        venv: VenvOption = "",
        python: PythonOption = "python3",
        user: UserOption = False,
        uv: UvOption = "auto",
        output: OutputOption = Format.TABLE,
    ) -> None:
        with Client() as client:
            work_off(client, "pip", _work(operation, venv=venv, python=python, is_user=user, uv=uv), ways, output)

    texts = {
        "list": "List the packages of a Python on each host.",
        "outdated": "List the packages that have a newer version.",
        "freeze": "Print the packages as a file of requirements.",
        "check": "Look for packages whose requirements are not met.",
    }
    command.__doc__ = texts[operation]
    app.command(operation)(command)


for _name in ("list", "outdated", "freeze", "check"):
    _read(_name)


@app.command()
@ways_of
def install(
    ways: Ways,
    packages: PackagesArgument = None,
    requirements: Annotated[Path | None, typer.Option("-r", "--requirement", help="File of requirements.")] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="To the newest version that fits.")] = False,
    require_hashes: Annotated[bool, typer.Option("--require-hashes", help="Each line with its hash, or not.")] = False,
    pre: Annotated[bool, typer.Option("--pre", help="Previews too.")] = False,
    no_deps: Annotated[bool, typer.Option("--no-deps", help="Without what they need.")] = False,
    index_url: Annotated[str, typer.Option("--index-url", help="Index instead of PyPI, without a password.")] = "",
    wheels: Annotated[str, typer.Option("--find-links", help="Directory of the host with wheels.")] = "",
    no_index: Annotated[bool, typer.Option("--no-index", help="Ask nothing but that directory.")] = False,
    venv: VenvOption = "",
    python: PythonOption = "python3",
    user: UserOption = False,
    uv: UvOption = "auto",
    break_system_packages: BreakOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Install or upgrade packages; a host where they are there already is ok, another one changed.

    Example: qd pip install 'django>=5,<6' --venv /opt/app/venv -q 'role:web' --check
    """
    work = _work(
        "upgrade" if upgrade else "install",
        packages=list(packages or ()),
        requirements=_content(requirements) if requirements else "",
        with_hashes=require_hashes,
        with_previews=pre,
        without_dependencies=no_deps,
        index_url=index_url,
        wheels=wheels,
        is_offline=no_index,
        venv=venv,
        python=python,
        is_user=user,
        uv=uv,
        breaks_system=break_system_packages,
    )
    with Client() as client:
        work_off(client, "pip", work, ways, output)


@app.command()
@ways_of
def uninstall(
    ways: Ways,
    packages: Annotated[list[str], typer.Argument(help="Names of packages.", show_default=False)],
    venv: VenvOption = "",
    python: PythonOption = "python3",
    user: UserOption = False,
    uv: UvOption = "auto",
    break_system_packages: BreakOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Remove packages, not what they needed."""
    work = _work(
        "uninstall", packages=packages, venv=venv, python=python, is_user=user, uv=uv,
        breaks_system=break_system_packages,
    )  # fmt: skip
    with Client() as client:
        work_off(client, "pip", work, ways, output)


@app.command()
@ways_of
def create(
    ways: Ways,
    venv: Annotated[str, typer.Argument(help="Path of the virtual environment.", show_default=False)],
    python: PythonOption = "python3",
    uv: UvOption = "never",
    system_site_packages: Annotated[
        bool, typer.Option("--system-site-packages", help="With the system's too.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a virtual environment where there is none."""
    work = _work("create", venv=venv, python=python, uv=uv, with_system=system_site_packages)
    with Client() as client:
        work_off(client, "pip", work, ways, output)


@app.command()
@ways_of
def remove(
    ways: Ways,
    venv: Annotated[str, typer.Argument(help="Path of the virtual environment.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Remove a virtual environment, and nothing that is none."""
    with Client() as client:
        work_off(client, "pip", _work("remove", venv=venv), ways, output)


@app.command()
@ways_of
def environments(
    ways: Ways,
    roots: Annotated[
        list[str] | None, typer.Option("--below", help="Directory to look below; may be repeated.")
    ] = None,
    users: Annotated[list[str] | None, typer.Option("--home-of", help="Account; may be repeated.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Find the virtual environments of each host."""
    work = _work("environments", roots=list(roots or ()), users=list(users or ()))
    with Client() as client:
        work_off(client, "pip", work, ways, output)


def _content(path: Path) -> str:
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    return path.read_text()
