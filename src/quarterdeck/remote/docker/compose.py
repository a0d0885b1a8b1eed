"""Compose projects: found by the labels that Compose writes, brought up and down by the host's own `docker compose`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.docker import containers, rows
from quarterdeck.remote.docker.engine import Engine
from quarterdeck.remote.scripts import Command

_LABEL = "com.docker.compose."
# What the host says by it: it has neither the plugin nor the older program.
NO_COMPOSE = 97


@dataclass(slots=True)
class Project:
    """`services` are the containers of each, by name; `files` and `directory` are the host's."""

    name: str
    directory: str
    files: list[str]
    services: dict[str, list[rows.Container]] = field(default_factory=dict)

    @property
    def is_up(self) -> bool:
        return all(one.state == "running" for found in self.services.values() for one in found)


async def projects(engine: Engine) -> list[Project]:
    """Return the projects of an engine that have containers, running or not."""
    found: dict[str, Project] = {}
    for one in await containers.ps(engine, filters={"label": [f"{_LABEL}project"]}):
        if one.labels.get(f"{_LABEL}oneoff", "False").lower() == "true":
            continue
        name = one.labels[f"{_LABEL}project"]
        files = one.labels.get(f"{_LABEL}project.config_files", "")
        directory = one.labels.get(f"{_LABEL}project.working_dir", "")
        project = found.setdefault(name, Project(name, directory, [part for part in files.split(",") if part]))
        project.services.setdefault(one.labels.get(f"{_LABEL}service", ""), []).append(one)
    return [found[name] for name in sorted(found)]


def up(
    project: Project, services: Sequence[str] = (), *, pulls: bool = False, environment: Mapping[str, str] | None = None
) -> Command:
    """Return the command that brings a project up, as its files say now."""
    pulling = [[*_flags(project), "pull", *_services(services)]] if pulls else []
    return _command([*pulling, [*_flags(project), "up", "-d", "--remove-orphans", *_services(services)]], environment)


def down(project: Project, *, with_volumes: bool = False, environment: Mapping[str, str] | None = None) -> Command:
    """Return the command that removes a project's containers and networks, and its volumes when asked."""
    more = ["--volumes"] if with_volumes else []
    return _command([[*_flags(project), "down", "--remove-orphans", *more]], environment)


def ps(project: Project, *, environment: Mapping[str, str] | None = None) -> Command:
    """Return the command that lists a project's containers by the files' own word; `ids_of` reads its output."""
    return _command([[*_flags(project), "ps", "-q"]], environment)


def ids_of(output: bytes) -> list[str]:
    return output.decode("ascii", "replace").split()


def _flags(project: Project) -> list[str]:
    if not project.name or project.name.startswith("-"):
        raise BadInput(_("a project is needed"), field="project")
    flags = ["--project-name", project.name]
    if project.directory:
        flags += ["--project-directory", project.directory]
    for path in project.files:
        flags += ["--file", path if path.startswith("/") or not project.directory else f"{project.directory}/{path}"]
    return flags


def _services(services: Sequence[str]) -> list[str]:
    if any(name.startswith("-") or not name for name in services):
        raise BadInput(_("a service has a name that does not begin with a dash"), field="services")
    return list(services)


def _command(calls: Sequence[Sequence[str]], environment: Mapping[str, str] | None) -> Command:
    """Return a script that finds Compose (the plugin, or the program of its first version) and calls it."""
    lines = "\n".join(f"qd_compose {shlex.join(call)} || exit $?" for call in calls)
    text = f"""
if docker compose version >/dev/null 2>&1; then qd_compose() {{ docker compose "$@"; }}
elif command -v docker-compose >/dev/null 2>&1; then qd_compose() {{ docker-compose "$@"; }}
else echo 'this host has no docker compose' >&2; exit {NO_COMPOSE}
fi
{lines}
"""
    return Command(text, environment=dict(environment or {}))


def of_file(path: str, name: str) -> Project:
    """Return a project that a file of the host describes."""
    directory, _slash, _file = path.rpartition("/")
    return Project(name, directory, [path])
