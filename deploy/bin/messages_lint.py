"""Finds text that a person reads and that is not marked for translation.

In templates: words between tags, and words in attributes that are shown (`title`, `placeholder`, `aria-label`, `alt`)
or passed to a component (`{% include "empty.html" with title="..." %}`). Names that stay as they are go into an
element with `translate="no"`, the standard attribute for that, or into `code`, `kbd`, `samp`, `pre`.
In Python: an f-string inside `_()`, which no catalogue can hold, and plural forms that are not written where they are
asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.template.base import Lexer, Token, TokenType

_WORD = re.compile(r"[A-Za-z]{2,}")
# Names that are the same in every language, and examples of the query language (`env:prod`, `role=web`, `depends_on`).
_NAMES = re.compile(r"\b(?:Quarterdeck|ClickHouse|CSV|JSON|PNG|YAML|XLSX)\b|\S*[:=_]\S*")
_SHOWN_ATTRIBUTES = {"title", "placeholder", "aria-label", "alt", "data-label", "data-confirm"}
_OPAQUE = {"script", "style", "code", "kbd", "samp", "pre", "svg"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_MARKED = {"blocktranslate": "endblocktranslate", "blocktrans": "endblocktrans", "comment": "endcomment"}
_ARGUMENT = re.compile(
    r'\b(title|label|text|hint|help|placeholder|message|heading|action|button)="([^"{}]*[A-Za-z]{2}[^"]*)"'
)
# Their arguments are addresses and names, not text.
_MACHINE_TAGS = ("url", "static", "load", "extends", "translate", "trans", "csrf_token")
_TRANSLATORS = {"_", "gettext", "gettext_lazy", "ngettext", "pgettext", "gettext_noop", "ngettext_lazy"}


def _has_words(text: str) -> bool:
    return bool(_WORD.search(_NAMES.sub("", text)))


def _tag_name(token: Token) -> str:
    return token.contents.split(maxsplit=1)[0] if token.contents.strip() else ""


def _passed_to_components(token: Token) -> Iterator[tuple[int, str]]:
    if _tag_name(token) not in _MACHINE_TAGS:
        for match in _ARGUMENT.finditer(token.contents):
            if " " in match.group(2) or match.group(2)[:1].isupper():
                yield token.lineno or 0, f'"{match.group(2)}" is passed without _()'


def _without_django(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the HTML that stands literally in the template, lines kept, and what was found in its tags."""
    kept: list[str] = []
    found: list[tuple[int, str]] = []
    until = ""
    for token in Lexer(text).tokenize():
        if token.token_type == TokenType.BLOCK:
            if until:
                until = "" if _tag_name(token) == until else until
            else:
                is_css = token.contents.startswith("block ") and token.contents.endswith("_css")
                until = "endblock" if is_css else _MARKED.get(_tag_name(token), "")
                found += _passed_to_components(token)
        elif token.token_type == TokenType.TEXT:
            kept.append("\n" * token.contents.count("\n") if until else token.contents)
    return "".join(kept), found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._quiet: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        quiet = bool(self._quiet) or tag in _OPAQUE or ("translate", "no") in attrs
        if not quiet:
            for name, value in attrs:
                if name in _SHOWN_ATTRIBUTES and value and _has_words(value):
                    self.found.append((self.getpos()[0], f'{name}="{value.strip()}" is not marked for translation'))
        if quiet and tag not in _VOID:
            self._quiet.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._quiet and self._quiet[-1] == tag:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        if not self._quiet and _has_words(data):
            self.found.append((self.getpos()[0], f'"{" ".join(data.split())}" is not marked for translation'))


def unmarked_template(text: str) -> list[tuple[int, str]]:
    """Return (line, sentence) for each text of a template that is shown as it stands."""
    html, found = _without_django(text)
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return sorted(found + reader.found)


def unmarked_python(text: str) -> list[tuple[int, str]]:
    """Return (line, sentence) for each call of a translation function that no catalogue can answer."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        name, first = node.func.id, node.args[0]
        if name in _TRANSLATORS and isinstance(first, ast.JoinedStr):
            found.append((node.lineno, f'{name}(f"...") cannot be translated: use .format() or %'))
        elif name.startswith("ngettext") and not isinstance(first, ast.Constant):
            found.append((node.lineno, f"{name}() needs its texts as they are, so that they can be collected"))
    return found
