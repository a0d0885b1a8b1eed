"""The translations: collect strings, update the catalogue, check it. Needs Babel only, no system package.

    python deploy/bin/messages.py update     bring django.po up to date with the code; new strings stay empty
    python deploy/bin/messages.py check      exit 1 and say what is missing, fuzzy, different or not marked

`deploy/bin/build-assets` compiles django.po to the django.mo that the running product reads.

Strings come from Python (`_`, `gettext`, `ngettext` ...), from templates (Django's own `templatize`), from plug-ins
(their titles), and from the settings table, whose help texts are shown on the settings page.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "quarterdeck"
LOCALES = {"zh_Hans": "简体中文"}
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sdfr]|%[sdfr]|\{(\w*)[^{}]*\}")
_HEADER = """\
# Quarterdeck: {title}. Kept by deploy/bin/messages.py.
msgid ""
msgstr ""
"Language: {locale}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""


def catalogue_path(locale: str) -> Path:
    return PACKAGE / "locale" / locale / "LC_MESSAGES" / "django.po"


def _templatized(path: Path) -> io.BytesIO:
    """The template as the gettext calls that Django makes of it. Indentation goes: it is no Python."""
    from django.utils.translation.template import templatize

    text = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    return io.BytesIO("\n".join(line.strip() for line in text.splitlines()).encode())


def _strings_of(path: Path) -> Iterator[tuple[str | tuple[str, str], str | None]]:
    """Yield (message id or (singular, plural), context) of one file."""
    source = io.BytesIO(path.read_bytes()) if path.suffix == ".py" else _templatized(path)
    for _line, keyword, found, _comments in extract_python(source, KEYWORDS, (), {"encoding": "utf-8"}):
        parts = found if isinstance(found, tuple) else (found,)
        context = None
        if keyword.startswith(("pgettext", "npgettext")):
            context, parts = parts[0], parts[1:]
        if not parts or not isinstance(parts[0], str) or not parts[0]:
            continue
        plural = keyword.startswith(("n", "np")) and len(parts) > 1 and parts[1]
        yield ((parts[0], str(parts[1])) if plural else parts[0]), context


def _settings_strings() -> Iterator[str]:
    from quarterdeck.conf.options import OPTIONS

    for option in OPTIONS:
        yield option.help
        if option.unit:
            yield option.unit


def _plugin_title(path: Path) -> str:
    """Return the title of the plug-in that a module exports: the first argument of `PLUGIN = Connector("...", ...)`."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_plugin = isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "PLUGIN" for t in node.targets
        )
        if is_plugin and isinstance(node.value, ast.Call):
            titles = [*node.value.args[:1], *(word.value for word in node.value.keywords if word.arg == "title")]
            return next((str(t.value) for t in titles if isinstance(t, ast.Constant)), "")
    return ""


def _client_titles(path: Path) -> Iterator[str]:
    """Yield the titles of a receiver's clients: the first argument of each `Client("...", ...)`."""
    if "receivers" not in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Client" and node.args:
            title = node.args[0]
            if isinstance(title, ast.Constant) and isinstance(title.value, str):
                yield title.value


def _rule_titles() -> Iterator[str]:
    """Yield the titles of the built-in rules of redaction."""
    for rule in yaml.safe_load((PACKAGE / "telemetry" / "redaction.yaml").read_text(encoding="utf-8")):
        yield rule["title"]


def sources() -> list[Path]:
    """Files that may hold strings, in a fixed order."""
    found = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html"), *PACKAGE.rglob("templates/**/*.txt")]
    return sorted(path for path in found if "migrations" not in path.parts)


def extracted() -> Catalog:
    """Every translatable string of the product, with the files where it stands."""
    catalog = Catalog(project="Quarterdeck", charset="utf-8")
    for path in sources():
        where = str(path.relative_to(ROOT))
        for found, context in _strings_of(path):
            catalog.add(found, locations=[(where, 0)], context=context)
        if path.suffix == ".py" and (title := _plugin_title(path)):
            catalog.add(title, locations=[(where, 0)])
        if path.suffix == ".py":
            for title in _client_titles(path):
                catalog.add(title, locations=[(where, 0)])
    for text in _rule_titles():
        catalog.add(text, locations=[("src/quarterdeck/telemetry/redaction.yaml", 0)])
    for text in _settings_strings():
        catalog.add(text, locations=[("src/quarterdeck/conf/options.py", 0)])
    return catalog


def read(locale: str) -> Catalog:
    path = catalogue_path(locale)
    if not path.exists():
        return Catalog(locale=locale, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def write(locale: str, catalog: Catalog) -> None:
    """Write the catalogue under a header of our own: Babel's has dates, which would change in every commit."""
    path = catalogue_path(locale)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_HEADER.format(title=LOCALES[locale], locale=locale, plural=catalog.plural_forms).encode())
        write_po(file, catalog, width=120, omit_header=True, sort_output=True, include_lineno=False)


def update() -> None:
    fresh = extracted()
    for locale in LOCALES:
        catalog = Catalog(locale=locale, charset="utf-8")
        known = read(locale)
        for message in _entries(fresh):
            before = known.get(message.id, message.context)
            string = before.string if before is not None and not before.fuzzy else _empty(message)
            catalog.add(message.id, string, locations=message.locations, context=message.context)
        write(locale, catalog)
        todo = sum(1 for message in _entries(catalog) if not _translated(message))
        print(f"{locale}: {len(catalog)} strings, {todo} without a translation")


def _empty(message: Message) -> str | tuple[str, ...]:
    return ("",) if isinstance(message.id, tuple) else ""


def _entries(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id)


def _translated(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return bool(strings) and all(strings) and not message.fuzzy


def _placeholders(text: str) -> set[str]:
    return {match.group(0) for match in _PLACEHOLDER.finditer(text)}


def wrong_placeholders(message: Message) -> str:
    """Say how the placeholders of a translation differ from the English text's, or return ""."""
    english = message.id if isinstance(message.id, tuple) else (message.id,)
    wanted = _placeholders(english[-1])
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    for string in strings:
        if _placeholders(string) != wanted:
            return f"has {sorted(_placeholders(string))}, the English text {sorted(wanted)}"
    return ""


def findings(fresh: Catalog, known: Catalog) -> Iterator[str]:
    """Yield one sentence per string that the translation `known` of the strings `fresh` lacks or has wrong."""
    for message in _entries(fresh):
        where = message.locations[0][0]
        translation = known.get(message.id, message.context)
        if translation is None or not _translated(translation):
            yield f"{where}: no translation of {message.id!r}"
        elif difference := wrong_placeholders(translation):
            yield f"{where}: translation of {message.id!r} {difference}"
    for message in _entries(known):
        if fresh.get(message.id, message.context) is None:
            yield f"django.po: {message.id!r} is not in the code any more"


def check() -> list[str]:
    """Everything that keeps the translations from being complete, one sentence each."""
    from messages_lint import unmarked_python, unmarked_template

    fresh = extracted()
    found = [f"{locale}: {line}" for locale in LOCALES for line in findings(fresh, read(locale))]
    for path in sources():
        lint = unmarked_python if path.suffix == ".py" else unmarked_template
        where = path.relative_to(ROOT)
        found += [f"{where}:{line}: {text}" for line, text in lint(path.read_text(encoding="utf-8"))]
    return found


def main(arguments: list[str]) -> int:
    command = arguments[0] if len(arguments) == 1 else ""
    if command == "update":
        update()
    elif command == "check":
        found = check()
        print(*found, f"{len(found)} findings" if found else "translations are complete", sep="\n")
        return 1 if found else 0
    else:
        print(__doc__)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
