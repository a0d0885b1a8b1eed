"""A run's work for Ansible: read, checked as far as that can be done without Ansible, made the files of a project.

    {"playbook": "- hosts: all\\n  tasks: ...", "name": "site.yml", "files": {"roles/web/tasks/main.yml": "..."}}
    {"module": "ansible.builtin.service", "arguments": {"name": "nginx", "state": "restarted"}}

with "variables" {"version": "1.2"}, "tags" and "skip_tags" ["web"], "shows_diff" true, "forks" 50. Pure.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml
from django.utils.translation import gettext as _

from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runners import Program, refuse_unknown, text_of, texts_of

_KNOWN = (
    "playbook", "name", "files", "module", "arguments", "variables", "tags", "skip_tags", "shows_diff", "forks",
)  # fmt: skip
_MAX_BYTES = 1 << 20
_MAX_FILES = 1000
_MAX_FORKS = 500
_MAX_WORDS_BYTES = 64 << 10
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,8}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PART = re.compile(r"[\w@+ ][\w.@+ -]*")
_YAML = (".yml", ".yaml")
# What is below these may be of any kind, a template of a YAML file say.
_CALLING = frozenset({"command", "shell", "raw", "script", "expect"})
_CONTENT = frozenset({"templates", "files"})
_IMPORTS = ("import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook")


@dataclass(frozen=True, slots=True)
class Work:
    """`files` are the project's by path, `playbook` is the path of the one to play."""

    title: str
    playbook: str
    files: Mapping[str, str]
    variables: Mapping[str, Any]
    tags: tuple[str, ...]
    skip_tags: tuple[str, ...]
    shows_diff: bool
    forks: int | None
    is_module: bool


class _Loader(yaml.CSafeLoader):
    """Ansible's tags too; a key that stands twice is Ansible's to warn of."""

    def flatten_mapping(self, node: Any) -> None:
        """Have an entry once that `<<` brings along several ways: they would multiply by level."""
        super().flatten_mapping(node)
        # Of equal keys the last counts, so it is the last of an entry that stays.
        entries = {id(entry[0]): entry for entry in reversed(node.value)}
        node.value = list(reversed(entries.values()))


def _text(loader: Any, node: Any) -> object:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


for _tag in ("!vault", "!vault-encrypted", "!unsafe"):
    _Loader.add_constructor(_tag, _text)


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput: for YAML that is none, with the file and the line."""
    refuse_unknown(work, *_KNOWN)
    playbook, module = text_of(work, "playbook"), text_of(work, "module")
    if bool(playbook.strip()) == bool(module.strip()):
        raise BadInput(_("give a playbook or a module"), hint="qd playbook site.yml -q type:host", field="playbook")
    files = {**_files(work), **({_name(work): playbook} if playbook.strip() else {_MODULE_FILE: _module(work)})}
    _check_files(files)
    variables = _variables(work)
    path = _name(work) if playbook.strip() else _MODULE_FILE
    if playbook.strip():
        _refuse_questions(_plays(path, playbook), variables)
    return Work(
        title=_title(path, playbook) if playbook.strip() else _module_title(work),
        playbook=path,
        files=files,
        variables=variables,
        tags=_words(work, "tags"),
        skip_tags=_words(work, "skip_tags"),
        shows_diff=_flag(work, "shows_diff"),
        forks=_forks(work),
        is_module=bool(module.strip()),
    )


_MODULE_FILE = "module.yml"


def _name(work: Mapping[str, Any]) -> str:
    name = text_of(work, "name", "playbook.yml")
    if not name.endswith(_YAML):
        raise BadInput(_("a playbook's name ends in .yml"), hint="site.yml", field="name")
    return name


def _files(work: Mapping[str, Any]) -> dict[str, str]:
    found = work.get("files") or {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise BadInput(_('"%(name)s" has texts') % {"name": "files"}, field="files")
    if found and text_of(work, "module"):
        raise BadInput(_("files are for a playbook"), field="files")
    return found


def _check_files(files: Mapping[str, str]) -> None:
    """Raise BadInput for what cannot be put below one directory, and for YAML that is none."""
    size = sum(len(text.encode(errors="surrogatepass")) for text in files.values())
    if len(files) > _MAX_FILES or size > _MAX_BYTES:
        values = {"kb": _MAX_BYTES >> 10, "files": _MAX_FILES}
        raise BadInput(_("a project holds up to %(files)d files and %(kb)d KB") % values, field="files")
    for path, text in files.items():
        parts = path.split("/")
        if len(path) > 400 or not all(_PART.fullmatch(part) or _is_hidden(part) for part in parts):
            raise BadInput(_('"%(path)s" is no path below a project') % {"path": path[:100]}, field="files")
        if any("/".join(parts[:count]) in files for count in range(1, len(parts))):
            raise BadInput(_('"%(path)s" is below a file') % {"path": path[:100]}, field="files")
        if path.endswith(_YAML) and not _CONTENT.intersection(parts[:-1]):
            _load(text, path)


def _is_hidden(part: str) -> bool:
    """Whether it is the name of a hidden file, such as ".yamllint"."""
    return part[:1] == "." and bool(_PART.fullmatch(part[1:]))


def _load(text: str, path: str) -> object:
    try:
        return yamls.load(text, path, _Loader)
    except BadInput as error:
        raise BadInput(
            error.message, hint=_("`ansible-playbook --syntax-check` tells more"), field="playbook"
        ) from error


def _plays(path: str, text: str) -> list[dict[str, Any]]:
    """Return the plays of a playbook. Raises BadInput for what is none."""
    plays = _load(text, path)
    if not isinstance(plays, list) or not plays:
        raise BadInput(
            _("%(path)s is no playbook: that is a list of plays") % {"path": path},
            hint="- hosts: all",
            field="playbook",
        )
    for number, play in enumerate(plays, 1):
        if not isinstance(play, dict) or not ("hosts" in play or any(name in play for name in _IMPORTS)):
            raise BadInput(
                _("play %(number)d of %(path)s has no `hosts`") % {"path": path, "number": number},
                hint="- hosts: all",
                field="playbook",
            )
    return plays


def _refuse_questions(plays: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> None:
    """Raise BadInput for a question that nobody will be there to answer: it would be waited for."""
    for play in plays:
        asked = play.get("vars_prompt")
        for one in asked if isinstance(asked, list) else ():
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str) and name not in variables:
                raise BadInput(
                    _("the playbook asks for %(name)s, and nobody is there to answer") % {"name": name[:60]},
                    hint=f"-e {name[:60]}=...",
                    field="variables",
                )


def _title(path: str, text: str) -> str:
    """Return "site.yml: name of its first play"."""
    name = _plays(path, text)[0].get("name")
    stem = PurePosixPath(path).name
    return f"{stem}: {name.strip()}" if isinstance(name, str) and name.strip() else stem


def _module(work: Mapping[str, Any]) -> str:
    """Return the playbook of one module: its arguments are on no command line so."""
    module, arguments = text_of(work, "module").strip(), work.get("arguments", "")
    if not _MODULE.fullmatch(module):
        raise BadInput(
            _('"%(name)s" is no name of a module') % {"name": module[:60]}, hint="ansible.builtin.ping", field="module"
        )
    if not isinstance(arguments, str | dict):
        raise BadInput(
            _("a module's arguments are a text or a map"), hint="name=nginx state=started", field="arguments"
        )
    if len(json.dumps(arguments)) > _MAX_WORDS_BYTES:
        raise BadInput(_("this is longer than %(limit)d KB") % {"limit": _MAX_WORDS_BYTES >> 10}, field="arguments")
    task = {"name": module, module: arguments or None}
    play = {"name": module, "hosts": "all", "gather_facts": False, "tasks": [task]}
    # JSON is YAML; of the characters of a text only those of ASCII are in it.
    return json.dumps([play])


def _module_title(work: Mapping[str, Any]) -> str:
    arguments = work.get("arguments", "")
    if isinstance(arguments, dict):
        arguments = " ".join(f"{name}={value}" for name, value in arguments.items())
    return " ".join(f"{text_of(work, 'module').strip()} {arguments}".split())


def programs(work: Mapping[str, Any]) -> list[Program]:
    """Return what the tasks call on the hosts, and the playbook itself, for rules that look for a word in it."""
    found = read(work)
    programs_ = [Program(found.files[found.playbook], "ansible-playbook")]
    for path, text in found.files.items():
        if path.endswith(_YAML) and not _CONTENT.intersection(path.split("/")[:-1]):
            programs_ += map(Program, _commands(_load(text, path)))
    return programs_


def _commands(document: object) -> Iterator[str]:
    """Yield the commands in a document of tasks, however deep in blocks; places of variables are as they stand.

    What aliases share is told once: a few lines of them unfold to gigabytes.
    """
    told: set[tuple[bool, int]] = set()
    for name, value in _entries(document):
        is_action = name in ("action", "local_action")
        is_call = isinstance(name, str) and name.rpartition(".")[2] in _CALLING
        for part in _parts(value) if is_action or is_call else ():
            if (is_action, id(part)) in told:
                continue
            told.add((is_action, id(part)))
            if isinstance(part, list):
                yield shlex.join(str(word) for word in part if not isinstance(word, list | dict))
            else:
                yield part.partition(" ")[2] if is_action else part


def _entries(document: object) -> Iterator[tuple[object, object]]:
    """Yield the entries of each map in a document once, also of one that is inside itself."""
    seen: set[int] = set()
    left = [document]
    while left:
        node = left.pop()
        if not isinstance(node, list | dict) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            yield from node.items()
        left += reversed(node.values() if isinstance(node, dict) else node)


def _parts(value: object) -> Iterator[str | list[object]]:
    """Yield what a task calls, as the document has it: texts, and lists of words."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (value[name] for name in ("cmd", "_raw_params") if isinstance(value.get(name), str))
        if isinstance(argv := value.get("argv"), list):
            yield argv


def _variables(work: Mapping[str, Any]) -> dict[str, Any]:
    found = work.get("variables") or {}
    if not isinstance(found, dict):
        raise BadInput(_('"%(name)s" is a map') % {"name": "variables"}, hint='{"version": "1.2"}', field="variables")
    for name in found:
        if not _VARIABLE.fullmatch(name):
            raise BadInput(_('"%(name)s" is no name of a variable') % {"name": str(name)[:60]}, field="variables")
    if len(json.dumps(found)) > _MAX_BYTES:
        raise BadInput(_("this is longer than %(limit)d KB") % {"limit": _MAX_BYTES >> 10}, field="variables")
    return found


def _words(work: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return tags; a comma parts them for Ansible."""
    found = texts_of(work, name)
    for word in found:
        if not word.strip() or "\0" in word or len(word) > 200:
            raise BadInput(_('"%(word)s" is no tag') % {"word": word[:60]}, field=name)
    return found


def _flag(work: Mapping[str, Any], name: str) -> bool:
    value = work.get(name, False)
    if not isinstance(value, bool):
        raise BadInput(_('"%(name)s" is true or false') % {"name": name}, field=name)
    return value


def _forks(work: Mapping[str, Any]) -> int | None:
    value = work.get("forks")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_FORKS):
        raise BadInput(_("forks are a number from 1 to %(most)d") % {"most": _MAX_FORKS}, field="forks")
    return value
