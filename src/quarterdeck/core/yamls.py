"""YAML as people mean it: no objects, no keys twice; `no`, `on` and 1:30 are texts unless Ansible asks otherwise."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import IO, Any

import yaml
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_MERGE = "tag:yaml.org,2002:merge"
_FLOAT = re.compile(r"^(?:[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?|[-+]?\.[0-9]+(?:[eE][-+][0-9]+)?)$")


class OnceLoader(yaml.CSafeLoader):
    """YAML 1.1 without keys that occur twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _value in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if key_node.tag != _MERGE and isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key}" stands twice in one map', key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


class CoreLoader(OnceLoader):
    """YAML with the scalars of JSON only: null, true, false, decimal numbers. See https://yaml.org/spec/1.2.2/#103"""


CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", re.compile(r"^<<$"), ["<"]),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, _first)


class Dumper(yaml.CSafeDumper):
    """Writes every value out, so that no reader needs aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _ForPeople(Dumper):
    """Texts of several lines, such as scripts, stand as they are."""


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_ForPeople.add_representer(str, _text)


def load(
    text: str, where: str, loader: type[yaml.CSafeLoader] = CoreLoader, *, may_have_aliases: bool = True
) -> object:
    """Return the one document of a YAML text. Raises BadInput that says where in `where` it goes wrong.

    A few lines of aliases share their values here, and unfold to gigabytes once they are written out.
    """
    try:
        if not may_have_aliases:
            _require_no_alias(text)
        return yaml.load(text, loader)  # noqa: S506 - both loaders build plain values only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(
            _("%(where)s is not YAML: %(error)s in line %(line)d")
            % {"where": where, "error": error.problem or error.context, "line": mark.line + 1 if mark else 0},
            hint=_("correct it there, or export the file again"),
            position=mark.index if mark else None,
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BadInput(
            _("%(where)s is not YAML that can be read: %(error)s") % {"where": where, "error": error}
        ) from error


def _require_no_alias(text: str) -> None:
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", mark)


def written(value: object) -> str:
    """Return a value as YAML that a person reads and edits."""
    text: str = yaml.dump(value, Dumper=_ForPeople, allow_unicode=True, sort_keys=False, width=120)
    return text


def dump(value: object, stream: IO[bytes]) -> None:
    """Write a value as YAML with the texts that any YAML 1.1 or 1.2 reader takes for other things in quotes."""
    yaml.dump(value, stream, Dumper, allow_unicode=True, sort_keys=False, encoding="utf-8", width=1 << 20)
