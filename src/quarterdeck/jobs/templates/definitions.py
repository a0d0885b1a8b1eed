"""What a template is made of, as its YAML file says it: the shapes, read strictly.

title: Restart a service
runner: ssh
work: {command: 'systemctl restart -- "$service"'}
query: type:host role:web
options: {batch: "1,10%", becomes: true}
survey:
- {name: service, label: {en: Service, zh-hans: 服务}, required: true, regex: "[\\w.@-]+"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from msgspec import Meta, Struct

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runs.planning import MAX_AT_ONCE, Options

Line = Annotated[str, Meta(max_length=255)]
Text = Annotated[str, Meta(max_length=20_000)]
# A text for everybody, or one for each language: {"en": "Service", "zh-hans": "服务"}.
Words = Text | Annotated[dict[Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[a-z]+)*$")], Text], Meta(min_length=1)]
# POSIX leaves variables in small letters to applications: none of them is the shell's own, as PATH or IFS are.
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
T = TypeVar("T")
Kind = Literal["text", "lines", "integer", "number", "boolean", "choice", "choices", "item", "date"]


class Shape(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A name that is not known is an error: a typing mistake is never "left out"."""


class Choice(Shape):
    value: Line
    label: Words = ""


class Field(Shape):
    """A question of the form. `min` and `max` bound a number, a date, the length of a text, or how many are chosen.

    text       one line              lines     several lines
    integer    number                boolean   yes or no
    choice     one of `choices`      choices   several of them
    item       the name of one of the items that `query` selects
    date       "2026-12-31"
    `regex` is RE2's and matches the whole of a text.
    """

    name: Name
    kind: Kind = "text"
    label: Words = ""
    help: Words = ""
    required: bool = False
    default: Any = None
    min: int | float | Line | None = None
    max: int | float | Line | None = None
    regex: Line = ""
    choices: Annotated[list[Line | Choice], Meta(max_length=500)] = []
    query: Text = ""

    def title(self) -> str:
        return shown(self.label) or self.name

    def choice_titles(self) -> dict[str, str]:
        """Return `{"value": "label"}` in the language that is spoken."""
        found = (one if isinstance(one, Choice) else Choice(value=one) for one in self.choices)
        return {one.value: shown(one.label) or one.value for one in found}


class Ways(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How it is done, as `planning.Options` says."""

    batch: Annotated[str, Meta(max_length=200)] = ""
    max_fail: Annotated[str, Meta(max_length=20)] = ""
    pauses_after_first: bool = False
    timeout_seconds: Annotated[float, Meta(gt=0)] | None = None
    at_once: Annotated[int, Meta(ge=1, le=MAX_AT_ONCE)] = 200
    becomes: bool = False
    credential: Annotated[str, Meta(max_length=100)] = ""
    accepts_new_host_keys: bool = False
    is_repeatable: bool = False
    is_check: bool = False

    def options(self, reason: str = "") -> Options:
        return Options(**msgspec.structs.asdict(self), reason=reason)


class Definition(Shape, kw_only=True):
    """A template. Where `query` is empty, whoever starts it chooses the hosts."""

    title: Words
    description: Words = ""
    runner: Line = "ssh"
    work: dict[str, Any]
    query: Text = ""
    options: Ways = Ways()
    survey: Annotated[list[Field], Meta(max_length=50)] = []


def read(values: Any) -> Definition:
    """Return the definition that `values` (of JSON or YAML) are. Raises BadInput that names the place."""
    return convert(values, Definition)


def convert(values: Any, shape: type[T]) -> T:
    """Return `values` as a shape. Raises BadInput that names the place."""
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        message, _separator, place = str(error).partition(" - at ")
        where = place.rpartition("$.")[2].strip("`$") or "definition"
        raise BadInput(
            _("%(where)s: %(message)s") % {"where": where, "message": message},
            hint=_("docs/guides/templates.md lists the fields and what they may hold"),
            field=where,
        ) from error


def plain(definition: Definition) -> dict[str, Any]:
    """Return the definition as JSON and YAML have it, without what is usual."""
    found: dict[str, Any] = msgspec.to_builtins(definition)
    return found


def shown(words: str | Mapping[str, str]) -> str:
    """Return the text in the language that is spoken now, else in English, else in whichever there is."""
    if isinstance(words, str):
        return words
    return words.get(get_language() or "en") or words.get("en") or next(iter(words.values()))
